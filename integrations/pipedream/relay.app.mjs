/**
 * What all components share: the props of the connection, and calls to a Relay server.
 *
 * Pipedream only connects accounts of apps that it has registered. A Relay is everybody's own, so where it is and a key
 * to it are props of each component instead.
 */

export const connection = {
  relayUrl: {
    type: "string",
    label: "Relay URL",
    description: "The address of your Relay, such as `https://relay.example.com`",
  },
  apiKey: {
    type: "string",
    label: "API Key",
    description: "Such as `rp_live_…`; the source needs its scope `hooks`, each action another one.",
    secret: true,
  },
};

export const customer = {
  customerEmail: {
    type: "string",
    label: "Customer Email",
    description: "The same address always gets the same link.",
  },
  customerName: {
    type: "string",
    label: "Customer Name",
    optional: true,
  },
  customerPhone: {
    type: "string",
    label: "Customer Phone",
    description: "Ten digits of North America, with or without punctuation.",
    optional: true,
  },
  collectorId: {
    type: "string",
    label: "Collector ID",
    description: "The campaign; the primary one when left empty.",
    optional: true,
  },
};

const TIMEOUT_MS = 30_000;

/** Says what to fix, and never holds the key. */
export class RelayError extends Error {
  name = "RelayError";

  /** `status` is that of Relay's answer; undefined when there was none. */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/**
 * The JSON that Relay answers with, undefined where the answer is empty; throws a RelayError.
 *
 * `component` is a component with the props of the connection.
 */
export async function request(component, method, path, { query = {}, body, headers } = {}) {
  const root = rootOf(component.relayUrl);
  const { status, text } = await send(root + path + queryOf(query), {
    method,
    headers: {
      accept: "application/json",
      authorization: `Bearer ${keyOf(component.apiKey)}`,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    },
    body: body === undefined ? undefined : JSON.stringify(body),
    // Followed, a POST could become a GET.
    redirect: "manual",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (status >= 300 && status < 400) {
    throw new RelayError(`${root} redirects elsewhere; enter the address it redirects to as Relay URL`, status);
  }
  const answer = parsed(text);
  if (status >= 400) {
    throw new RelayError(`Relay answered ${status}: ${reason(answer)}`, status);
  }
  if (answer === undefined && text !== "") {
    throw new RelayError(`${root} does not answer like a Relay; check the Relay URL`, status);
  }
  return answer;
}

async function send(url, init) {
  try {
    const response = await fetch(url, init);
    return { status: response.status, text: await response.text() };
  } catch (error) {
    throw new RelayError(`Relay cannot be reached at ${new URL(url).origin} (${causeOf(error)}); check the Relay URL`);
  }
}

function rootOf(relayUrl = "") {
  const url = URL.canParse(relayUrl.trim()) ? new URL(relayUrl.trim()) : undefined;
  if (!["http:", "https:"].includes(url?.protocol) || url.username !== "" || url.password !== "") {
    throw new RelayError("Relay URL must be an address such as https://relay.example.com");
  }
  return url.origin + url.pathname.replace(/\/+$/, "");
}

function keyOf(apiKey = "") {
  const key = apiKey.trim();
  // Anything else would be refused by fetch, in an error that shows it.
  if (!/^[!-~]+$/.test(key)) {
    throw new RelayError("API Key must be a key as Relay showed it, such as rp_live_…, without blanks");
  }
  return key;
}

function queryOf(query) {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") {
      given.set(name, String(value));
    }
  }
  return given.size === 0 ? "" : `?${given}`;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The sentence in an error of any of Relay's APIs. */
function reason(answer) {
  return answer?.error ?? answer?.detail ?? answer?.title ?? "no reason was given; check the Relay URL";
}

function causeOf({ name, cause }) {
  if (name === "TimeoutError") {
    return `no answer within ${TIMEOUT_MS / 1000} seconds`;
  }
  return cause?.code ?? cause?.message ?? name;
}
