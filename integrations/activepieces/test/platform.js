/** What Activepieces does around a piece: it hands it a context, and takes the requests to a flow's URL. */

import { once } from 'node:events';
import { createServer } from 'node:http';

import { relay } from '../dist/src/index.js';

export const URL_OF_RELAY = process.env.RELAY_URL;
export const KEY = process.env.RELAY_KEY;
if (!URL_OF_RELAY || !KEY) {
  throw new Error('set RELAY_URL and RELAY_KEY to those of a running Relay that may post to 127.0.0.1');
}

export const auth = { type: 'CUSTOM_AUTH', props: { base_url: URL_OF_RELAY, api_key: KEY } };
export { relay };

/** A flow with a URL that really listens, and a store of its own. */
export class Flow {
  #arrived = [];
  #store = new Map();
  #server = createServer(async (request, response) => {
    const chunks = await request.toArray();
    this.#arrived.push({ headers: request.headers, rawBody: Buffer.concat(chunks).toString() });
    this.#server.emit('arrived');
    response.end('{}');
  });

  /** Start one; it ends with the test. */
  static async start(test) {
    const flow = new Flow();
    flow.#server.listen(0, '127.0.0.1');
    await once(flow.#server, 'listening');
    test.after(() => {
      flow.#server.close();
      flow.#server.closeAllConnections();
    });
    return flow;
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}/api/v1/webhooks/flow`;
  }

  /** The payload of the next request that arrives. */
  async payload() {
    if (this.#arrived.length === 0) {
      await once(this.#server, 'arrived', { signal: AbortSignal.timeout(10_000) });
    }
    const { headers, rawBody } = this.#arrived.shift();
    return { headers, rawBody, body: JSON.parse(rawBody), queryParams: {} };
  }

  /** What a trigger is called with. The platform puts the connection among the values as well. */
  context(propsValue = {}, payload = {}, connection = auth) {
    return {
      auth: connection,
      propsValue: { ...propsValue, auth: connection },
      payload,
      webhookUrl: this.url,
      flows: { current: { id: 'flow-1', version: { id: 'version-1' } } },
      store: {
        put: async (key, value) => this.#store.set(key, structuredClone(value)) && value,
        get: async (key) => this.#store.get(key) ?? null,
        delete: async (key) => void this.#store.delete(key),
      },
    };
  }

  /** The hooks that Relay has for this flow. */
  async hooks() {
    const hooks = await (await call('GET', '/api/v1/hooks')).json();
    return hooks.filter((hook) => hook.target_url === this.url);
  }
}

/** Run an action with these values. */
export function act(name, propsValue, connection = auth) {
  return relay.getAction(name).run({ auth: connection, propsValue });
}

/** Publish an event for real. */
export async function publish(type, payload) {
  const response = await call('POST', '/v1/events', { type, payload });
  if (response.status !== 202) {
    throw new Error(await response.text());
  }
  return response.json();
}

/** A port of this machine where nobody listens. */
export async function closedPort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

function call(method, path, body) {
  const headers = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' };
  return fetch(URL_OF_RELAY + path, { method, headers, body: JSON.stringify(body) });
}
