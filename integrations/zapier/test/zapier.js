'use strict';

// Stands where Zapier's servers stand: runs the integration with Zapier's own core, and catches what hooks are sent.

process.env.NODE_ENV = 'test'; // Core then fails on what it otherwise only logs.

const { randomUUID } = require('node:crypto');
const { EventEmitter, once } = require('node:events');
const http = require('node:http');

const zapier = require('zapier-platform-core');

const App = require('..');

const DEADLINE_MS = 20_000;

function fromEnvironment(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: README.md says how the tests are run`);
  return value;
}

const RELAY_URL = fromEnvironment('RELAY_URL');
const RELAY_KEY = fromEnvironment('RELAY_KEY');
const AUTH = { base_url: RELAY_URL, api_key: RELAY_KEY };

const handler = zapier.createAppHandler(App);

/** What a method of the integration returns, named as Zapier names it: `triggers.newEvent.operation.perform`. */
async function run(method, bundle = {}) {
  const whole = { authData: AUTH, inputData: {}, inputDataRaw: {}, meta: {}, ...bundle };
  return (await handler({ command: 'execute', method, bundle: whole })).results;
}

const create = (key, inputData, more) => run(`creates.${key}.operation.perform`, { inputData, ...more });
const search = (key, inputData, more) => run(`searches.${key}.operation.perform`, { inputData, ...more });

/** The error that ends a run: its class, the text a person reads, and the status or the delay. */
async function refusal(running) {
  const error = await running.then(
    (results) => {
      throw new Error(`it was not refused: ${JSON.stringify(results)}`);
    },
    (thrown) => thrown,
  );
  const parts = error.message.startsWith('{') ? JSON.parse(error.message) : { message: error.message };
  return { name: error.name, ...parts, everything: `${error.message} ${error.stack} ${JSON.stringify(error)}` };
}

/** Ask Relay itself. */
async function relay(path) {
  const response = await fetch(RELAY_URL + path, { headers: { Authorization: `Bearer ${RELAY_KEY}` } });
  return response.json();
}

/** An HTTP server on loopback for the length of a test. */
async function serve(t, answer) {
  const server = http.createServer(answer);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${server.address().port}`;
}

/** Where Zapier catches hooks: one address for each Zap. */
async function catchHooks(t) {
  const caught = new Map();
  const news = new EventEmitter();
  const url = await serve(t, async (request, response) => {
    const chunks = await request.toArray();
    const queue = caught.get(request.url) ?? caught.set(request.url, []).get(request.url);
    queue.push(asRawRequest(request, Buffer.concat(chunks).toString('utf8')));
    response.end('{"status":"success"}');
    news.emit('caught');
  });
  return {
    newAddress: () => `${url}/hooks/standard/1234/${randomUUID()}/`,
    /** The next request to an address, in the order they came. */
    async next(address) {
      const { pathname } = new URL(address);
      const signal = AbortSignal.timeout(DEADLINE_MS);
      while (!caught.get(pathname)?.length) await once(news, 'caught', { signal });
      return caught.get(pathname).shift();
    },
    waiting: (address) => caught.get(new URL(address).pathname)?.length ?? 0,
  };
}

/** A request as `bundle.rawRequest` has it: Zapier writes header names in its own way. */
function asRawRequest(request, content) {
  const headers = Object.entries(request.headers).map(([name, value]) => {
    const written = name.replace(/(^|-)[a-z]/g, (start) => start.toUpperCase());
    return [name.startsWith('content-') ? written : `Http-${written}`, value];
  });
  return { method: request.method, querystring: '', headers: Object.fromEntries(headers), content };
}

/** A Zap that begins with one of the triggers. */
class Zap {
  constructor(hooks, trigger, inputData = {}, id = '98765432') {
    this.hooks = hooks;
    this.trigger = trigger;
    this.bundle = { inputData, targetUrl: hooks.newAddress(), meta: { zap: { id } } };
  }

  run(method, more) {
    return run(`triggers.${this.trigger}.operation.${method}`, { ...this.bundle, ...more });
  }

  async turnOn() {
    this.bundle.subscribeData = await this.run('performSubscribe');
    return this;
  }

  turnOff() {
    return this.run('performUnsubscribe');
  }

  next() {
    return this.hooks.next(this.bundle.targetUrl);
  }

  perform(rawRequest) {
    return this.run('perform', { rawRequest, cleanedRequest: JSON.parse(rawRequest.content) });
  }
}

module.exports = { App, AUTH, RELAY_KEY, RELAY_URL, Zap, catchHooks, create, handler, refusal, relay, run, search, serve };
