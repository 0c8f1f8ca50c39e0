'use strict';

// Connecting: what works, what is refused, and that the key is never shown.

const assert = require('node:assert/strict');
const test = require('node:test');

const { AUTH, RELAY_KEY, RELAY_URL, refusal, run, serve } = require('./zapier');

const connect = (authData) => run('authentication.test', { authData: { ...AUTH, ...authData } });

const labelOf = (answer) => run('authentication.connectionLabel', { inputData: answer });
const HOST = new URL(RELAY_URL).host;

test('a connection is labelled with workspace and host, never with the key', async () => {
  const answer = await connect({});
  const label = await labelOf(answer);
  assert.equal(label, `default on ${HOST}`);
  assert.ok(!JSON.stringify([answer, label]).includes(RELAY_KEY));
});

test('a key that may not subscribe hooks is taken, and its label says so', async () => {
  const answer = await connect({ api_key: process.env.RELAY_NO_HOOKS_KEY });
  assert.equal(await labelOf(answer), `default on ${HOST} (this key lacks the hooks scope)`);
  assert.equal(await labelOf(await connect({ api_key: process.env.RELAY_HOOKS_KEY })), `default on ${HOST}`);
});

test('blanks around address and key, and slashes after the address, do no harm', async () => {
  assert.ok(await connect({ base_url: `  ${RELAY_URL}//  `, api_key: `\n ${RELAY_KEY} ` }));
});

test('a Relay below a path of another site is reached there', async (t) => {
  const key = { workspace: 'Acme', scopes: ['hooks'], label: null, prefix: 'rp_live_', last4: 'abcd' };
  const url = await serve(t, (request, response) => response.end(request.url === '/relay/api/v1/key' ? JSON.stringify(key) : ''));
  assert.equal(await labelOf(await connect({ base_url: `${url}/relay/` })), `Acme on ${new URL(url).host}`);
});

test('a Relay that cannot tell whose the key is yet is labelled with its host', async (t) => {
  const url = await serve(t, (request, response) => {
    if (request.url === '/api/v1/event-types') response.end('[]');
    else response.writeHead(404).end('{"error":"not found"}');
  });
  assert.equal(await labelOf(await connect({ base_url: url })), new URL(url).host);
});

for (const [given, text] of [
  ['', /The Base URL is empty/],
  [undefined, /The Base URL is empty/],
  ['relay.example.com', /must be a whole address that begins with https:\/\//],
  ['localhost:8000', /must be a whole address that begins with https:\/\//],
  ['ftp://relay.example.com', /must be a whole address that begins with https:\/\//],
  ['http://relay.example.com', /must begin with https:\/\/.+relay\.example\.com is not in one/],
  ['http://8.8.8.8:8000', /must begin with https:\/\//],
  ['http://notlocalhost', /must begin with https:\/\//],
  ['http://172.32.0.1', /must begin with https:\/\//],
  ['https://somebody:secret@relay.example.com', /must not hold a user name or a password/],
  ['https://relay.example.com/?key=1', /must not have a part after/],
  ['https://relay.example.com/#top', /must not have a part after/],
]) {
  test(`the address ${given} is refused with what to fix`, async () => {
    const error = await refusal(connect({ base_url: given }));
    assert.match(error.message, text);
    assert.ok(!error.everything.includes(RELAY_KEY));
  });
}

for (const given of ['http://10.1.2.3', 'http://172.31.0.1', 'http://192.168.0.9', 'http://[::1]', 'http://relay.local']) {
  test(`plain http is fine for the private address ${given}`, async () => {
    const { parseBaseUrl } = require('../base_url');
    assert.equal(parseBaseUrl({}, given), given);
  });
}

test('a wrong key: where to look', async () => {
  const wrong = `rp_live_${'z'.repeat(32)}`;
  const error = await refusal(connect({ api_key: wrong }));
  assert.equal(error.status, 401);
  assert.match(error.message, /does not accept the API key \(.+\).+relay keys list.+relay keys create/);
  assert.ok(!error.everything.includes(wrong));
});

for (const key of ['', undefined, 'rp_live_with a blank', 'rp_live_ünïcode', 'rp_live_two\nlines']) {
  test(`something that is no key: ${JSON.stringify(key)}`, async () => {
    const error = await refusal(connect({ api_key: key }));
    assert.match(error.message, /API Key is empty or has characters that no key has/);
    if (key) assert.ok(!error.everything.includes(key));
  });
}

test('nobody answers at the address', async () => {
  const error = await refusal(connect({ base_url: 'http://127.0.0.1:1' }));
  assert.match(error.message, /^Nothing answers at 127\.0\.0\.1:1 \(ECONNREFUSED\)/);
});

test('somebody else answers at the address', async (t) => {
  for (const page of ['<html>Welcome', '{}', '[]', 'null']) {
    const url = await serve(t, (request, response) => response.end(page));
    assert.match((await refusal(connect({ base_url: url }))).message, /answers, but it is not Relay/);
  }
  const empty = await serve(t, (request, response) => response.writeHead(404).end('<html>Not found'));
  assert.match((await refusal(connect({ base_url: empty }))).message, /answered 404, but not as Relay does/);
});
