/** A connection that is right, and every way in which it can be wrong. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { test } from 'node:test';

import { act, auth, closedPort, KEY, relay, URL_OF_RELAY } from './platform.js';

const validate = (props) => relay.auth.validate({ auth: { ...auth.props, ...props } });

test('a good connection is valid, whatever blanks and slashes surround it', async () => {
  assert.deepEqual(await validate({}), { valid: true });
  assert.deepEqual(await validate({ base_url: ` ${URL_OF_RELAY}/ `, api_key: ` ${KEY}\n` }), { valid: true });
});

test('a wrong key is an error that says so and does not show it', async () => {
  const wrong = `rp_live_${'z'.repeat(32)}`;
  for (const api_key of [wrong, `${wrong} ${wrong}`, `${wrong}ü`]) {
    const { valid, error } = await validate({ api_key });
    assert.equal(valid, false);
    assert.match(error, /Relay answered 401: .*invalid|API Key must be a key/);
    assert.ok(!error.includes(wrong));
  }
  const connection = { props: { ...auth.props, api_key: wrong } };
  await assert.rejects(act('mint_magic_link', { customer_email: 'dana@example.com' }, connection), (error) => {
    assert.match(error.message, /401/);
    return !`${error.stack}${JSON.stringify(error)}`.includes(wrong);
  });
});

test('an address that is none is an error that shows how one looks', async () => {
  for (const base_url of ['relay.example.com', 'ftp://relay.example.com', 'https://me:secret@relay.example.com', '']) {
    const { error } = await validate({ base_url });
    assert.equal(error, 'Relay URL must be an address such as https://relay.example.com');
  }
});

test('a server that is away, is no Relay, or sends elsewhere is told apart', async (t) => {
  const nobody = `http://127.0.0.1:${await closedPort()}`;
  const { error } = await validate({ base_url: nobody });
  assert.equal(error, `Relay cannot be reached at ${nobody} (ECONNREFUSED); check the Relay URL`);

  const other = createServer((request, response) => {
    if (request.url.startsWith('/moved/')) {
      response.writeHead(308, { location: 'https://relay.example.com/' }).end();
    } else if (request.url.startsWith('/broken/')) {
      response.writeHead(502).end('<h1>Bad gateway</h1>');
    } else if (request.url.startsWith('/json/')) {
      response.end('{}');
    } else {
      response.end('<h1>Welcome</h1>');
    }
  });
  other.listen(0, '127.0.0.1');
  await once(other, 'listening');
  t.after(() => other.close());
  const root = `http://127.0.0.1:${other.address().port}`;
  assert.match((await validate({ base_url: `${root}/moved/` })).error, /redirects elsewhere/);
  assert.match((await validate({ base_url: `${root}/broken` })).error, /Relay answered 502: .*check the Relay URL/);
  assert.match((await validate({ base_url: root })).error, /does not answer like a Relay/);
  assert.match((await validate({ base_url: `${root}/json` })).error, /what answers there is not a Relay/);
});

test('a Relay that cannot tell whose the key is yet is taken', async (t) => {
  let answer = '[]';
  const older = createServer((request, response) => {
    if (request.url === '/api/v1/event-types') {
      response.writeHead(answer === '[]' ? 200 : 401).end(answer);
    } else {
      response.writeHead(404).end('{"error": "not found"}');
    }
  });
  older.listen(0, '127.0.0.1');
  await once(older, 'listening');
  t.after(() => older.close());
  const base_url = `http://127.0.0.1:${older.address().port}`;
  assert.deepEqual(await validate({ base_url }), { valid: true });
  answer = '{"error": "invalid key"}';
  assert.equal((await validate({ base_url })).error, 'Relay answered 401: invalid key');
});
