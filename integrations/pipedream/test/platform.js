/** What Pipedream does around a component: it gives it its props and services, and takes the requests to its URL. */

import { once } from "node:events";
import { createServer } from "node:http";

export const RELAY_URL = process.env.RELAY_URL;
export const KEY = process.env.RELAY_KEY;
export const NO_HOOKS_KEY = process.env.RELAY_NO_HOOKS_KEY;
if (!RELAY_URL || !KEY || !NO_HOOKS_KEY) {
  throw new Error("RELAY_URL, RELAY_KEY and RELAY_NO_HOOKS_KEY are not all set: README.md says how the tests are run");
}

export const connection = { relayUrl: RELAY_URL, apiKey: KEY };

/** A source that is deployed: its URL really listens, and each request that arrives runs it. */
export class Deployed {
  emitted = [];
  requests = [];
  #ids = new Set();
  #server = createServer(async (request, response) => {
    const bodyRaw = Buffer.concat(await request.toArray()).toString();
    const { method, url: path, headers } = request;
    const event = { method, path, query: {}, headers, bodyRaw, body: JSON.parse(bodyRaw) };
    const { status, body } = await this.run(event);
    response.writeHead(status).end(body);
    this.requests.push(event);
    this.#server.emit("ran");
  });

  constructor(component, props) {
    this.component = component;
    const values = new Map();
    this.instance = {
      ...component.methods,
      ...connection,
      ...props,
      db: {
        get: (key) => structuredClone(values.get(key)),
        set: (key, value) => values.set(key, structuredClone(value)),
      },
      $emit: (event, meta) => {
        if (component.dedupe !== "unique" || !this.#ids.has(meta.id)) {
          this.#ids.add(meta.id);
          this.emitted.push({ event, meta });
        }
      },
    };
  }

  /** Deploy one; its server ends with the test. */
  static async start(test, component, props) {
    const deployed = new Deployed(component, props);
    deployed.#server.listen(0, "127.0.0.1");
    await once(deployed.#server, "listening");
    test.after(() => {
      deployed.#server.close();
      deployed.#server.closeAllConnections();
    });
    deployed.url = `http://127.0.0.1:${deployed.#server.address().port}/`;
    deployed.instance.http = { endpoint: deployed.url, respond: (answer) => (deployed.answer = answer) };
    return deployed;
  }

  hook(name) {
    return this.component.hooks[name].call(this.instance);
  }

  /** What the component answers to a request. */
  async run(event) {
    this.answer = undefined;
    await this.component.run.call(this.instance, event);
    return this.answer;
  }

  /** Wait until a request has arrived and run the source. */
  async called() {
    if (this.requests.length === 0) {
      await once(this.#server, "ran", { signal: AbortSignal.timeout(10_000) });
    }
    return this.requests.shift();
  }

  /** The hooks that Relay has for this source. */
  async hooks() {
    const hooks = await (await call("GET", "/api/v1/hooks")).json();
    return hooks.filter((hook) => hook.target_url === this.url);
  }
}

/** Run an action in a workflow; its answer, and the summary it shows. */
export async function act(action, props) {
  const exported = {};
  const $ = { export: (name, value) => (exported[name] = value) };
  const answer = await action.run.call({ ...action.methods, ...connection, ...props }, { $ });
  return { answer, summary: exported.$summary };
}

/** Publish an event for real. */
export async function publish(type, payload) {
  const response = await call("POST", "/v1/events", { type, payload });
  if (response.status !== 202) {
    throw new Error(await response.text());
  }
  return response.json();
}

/** A port of this machine where nobody listens. */
export async function closedPort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

function call(method, path, body) {
  const headers = { authorization: `Bearer ${KEY}`, "content-type": "application/json" };
  return fetch(RELAY_URL + path, { method, headers, body: JSON.stringify(body) });
}
