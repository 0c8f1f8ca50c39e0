'use strict';

// What is refused, as people read it in the history of their Zap.

const assert = require('node:assert/strict');
const test = require('node:test');

const { AUTH, RELAY_KEY, create, refusal, run, serve } = require('./zapier');

const publish = (inputData, authData = {}) => create('publishEvent', inputData, { authData: { ...AUTH, ...authData } });

test('a key without the scope: which one is missing', async () => {
  // A key that may only subscribe hooks; README.md says how it is made.
  const error = await refusal(publish({ event_type: 'order.paid' }, { api_key: process.env.RELAY_HOOKS_KEY }));
  assert.equal(error.status, 403);
  assert.match(error.message, /lacks the scope “events”.+relay keys create --scopes/);
});

test('RavePilot’s errors say what to fix', async () => {
  const error = await refusal(create('createInvitation', { customer_email: 'nobody' }));
  assert.equal(error.status, 400);
  assert.equal(error.message, 'Relay refused this: customer_email must be a valid email address.');
});

test('Webhook Relay’s problems name the field', async () => {
  const error = await refusal(publish({ event_type: 'Not A Type' }));
  assert.match(error.message, /^Relay refused this: type .+\.$/);
});

test('REST Hooks’ errors say what to fix', async () => {
  const error = await refusal(run('triggers.rating_dropped.operation.performSubscribe', {
    inputData: { store: 'apple', app_id: '999000111' },
    targetUrl: 'https://hooks.zapier.com/hooks/standard/1/a/',
  }));
  assert.equal(error.message, 'Relay refused this: rating.dropped needs threshold or delta.');
});

for (const [status, headers, body, text] of [
  [502, {}, '<html>Bad Gateway', /answered 502, but not as Relay does.+is running/],
  [404, {}, 'Not Found', /answered 404, but not as Relay does/],
  [500, {}, '{"error":"something went wrong"}', /could not do this \(something went wrong\).+log says more/],
  [301, { Location: 'https://real.example.com/v1/events' }, '', /redirect to https:\/\/real\.example\.com\. Edit the connection/],
  [302, {}, '', /answers with a redirect\. Edit the connection/],
]) {
  test(`an answer of ${status} ${body || JSON.stringify(headers)}`, async (t) => {
    const url = await serve(t, (request, response) => response.writeHead(status, headers).end(body));
    const error = await refusal(publish({ event_type: 'order.paid' }, { base_url: url }));
    assert.equal(error.name, 'AppError');
    assert.match(error.message, text);
    assert.ok(!error.everything.includes(RELAY_KEY));
  });
}

for (const [status, headers, delay] of [
  [429, { 'Retry-After': '7' }, 7],
  [429, {}, 60],
  [503, { 'Retry-After': '3' }, 3],
]) {
  test(`told to wait with ${status} ${JSON.stringify(headers)}: Zapier runs the step again`, async (t) => {
    const url = await serve(t, (request, response) => response.writeHead(status, headers).end('{"error":"too busy"}'));
    const error = await refusal(publish({ event_type: 'order.paid' }, { base_url: url }));
    assert.equal(error.name, 'ThrottledError');
    assert.equal(error.delay, delay);
    assert.match(error.message, /Relay asks to wait \(too busy\)/);
  });
}
