/** A source that emits each event of one type as it happens. */

import { createHmac, timingSafeEqual } from "crypto";

import { connection, RelayError, request } from "../../relay.app.mjs";

const STORED = "hook";

export default {
  key: "relay-new-event-instant",
  name: "New Event (Instant)",
  description: "Emit new event when an event of the type you choose happens at your Relay.",
  version: "0.1.0",
  type: "source",
  dedupe: "unique",
  props: {
    ...connection,
    eventType: {
      type: "string",
      label: "Event Type",
      description: "What to listen for.",
      reloadProps: true,
      async options() {
        await checkScope(this);
        const types = await request(this, "GET", "/api/v1/event-types");
        return types.map(({ id, label }) => ({ value: id, label }));
      },
    },
    http: {
      type: "$.interface.http",
      customResponse: true,
    },
    db: "$.service.db",
  },
  async additionalProps() {
    if (!this.eventType) {
      return {};
    }
    const inputs = await inputsOf(this);
    return Object.fromEntries(inputs.map((input) => [input.key, propOf(input)]));
  },
  hooks: {
    async deploy() {
      const query = { ...(await chosen(this)), event_type: this.eventType, limit: 3 };
      const newestFirst = await request(this, "GET", "/api/v1/events", { query });
      newestFirst.reverse().forEach((event) => emit(this, event));
    },
    async activate() {
      // Pipedream activates a source again after each change of its configuration.
      await unsubscribe(this);
      const inputs = await chosen(this);
      const { id, secret } = await request(this, "POST", "/api/v1/hooks", {
        body: { ...inputs, target_url: this.http.endpoint, event_type: this.eventType, source: "pipedream" },
      });
      this.db.set(STORED, { id, secret });
    },
    async deactivate() {
      await unsubscribe(this);
    },
  },
  async run({ bodyRaw = "", headers }) {
    const hook = this.db.get(STORED);
    if (!hook || !isSigned(hook.secret, bodyRaw, headers["x-radar-signature"])) {
      this.http.respond({ status: 401, body: "the signature is not the one of this source's hook" });
      return;
    }
    emit(this, JSON.parse(bodyRaw));
    this.http.respond({ status: 200 });
  },
};

/** Without this scope nothing could be subscribed: better said while the source is set up than when it is switched on. */
async function checkScope(source) {
  const key = await request(source, "GET", "/api/v1/key").catch((error) => {
    if (error.status === 404) {
      return undefined; // a Relay from before it told what a key may do
    }
    throw error;
  });
  if (key && !key.scopes.includes("hooks")) {
    throw new RelayError(`this key of the workspace ${key.workspace} lacks the hooks scope; make one that has it`);
  }
}

async function inputsOf(source) {
  return (await request(source, "GET", `/api/v1/event-types/${encodeURIComponent(source.eventType)}`)).inputs;
}

/** Pipedream has no type for numbers with a fraction; Relay takes them as text. */
function propOf({ label, help, type, required, choices }) {
  return {
    type: type === "integer" ? "integer" : "string",
    label,
    description: help,
    optional: !required,
    options: choices,
  };
}

/** What was entered for the inputs of the event type. */
async function chosen(source) {
  return Object.fromEntries((await inputsOf(source)).map(({ key }) => [key, source[key]]));
}

async function unsubscribe(source) {
  const hook = source.db.get(STORED);
  if (!hook) {
    return;
  }
  try {
    await request(source, "DELETE", `/api/v1/hooks/${encodeURIComponent(hook.id)}`);
  } catch (error) {
    // A hook that is gone is what was wanted, and the hooks of a revoked key get nothing: neither may keep a source on.
    if (!(error instanceof RelayError) || (error.status !== 404 && error.status !== 401)) {
      throw error;
    }
  }
  source.db.set(STORED, null);
}

function isSigned(secret, body, signature = "") {
  const expected = Buffer.from(`sha256=${createHmac("sha256", secret).update(body).digest("hex")}`);
  const given = Buffer.from(signature);
  return given.length === expected.length && timingSafeEqual(given, expected);
}

function emit(source, event) {
  source.$emit(event, {
    id: event.id,
    summary: `${event.event_type} at ${event.occurred_at}`,
    ts: event.occurred_at_unix * 1000,
  });
}
