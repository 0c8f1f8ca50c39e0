/** Each action against a real Relay. */

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';

import { act, Flow, relay } from './platform.js';

test('an invitation is made once, and a magic link is the same link', async () => {
  const customer_email = newCustomer();
  const made = await act('create_invitation', {
    customer_email: customer_email.toUpperCase(),
    customer_name: 'Dana Whitlock',
    send_email: false,
  });
  assert.equal(made.reused, false);
  assert.equal(made.submission.customer_email, customer_email);
  const minted = await act('mint_magic_link', { customer_email });
  assert.deepEqual([minted.reused, minted.link], [true, made.link]);
});

test('a submission is found by its ID, by whose it is, and by its status', async () => {
  const customer_email = `dana+${newCustomer()}`;
  const { submission } = await act('mint_magic_link', { customer_email });
  await act('mint_magic_link', { customer_email: newCustomer() });

  const byId = await act('find_submission', { submission_id: submission.id });
  assert.deepEqual(byId, { found: true, submission, clips: [] });
  assert.deepEqual(await act('find_submission', { customer_email: ` ${customer_email.toUpperCase()}` }), byId);
  assert.deepEqual(await act('find_submission', { customer_email, status: 'in_progress' }), byId);

  const none = { found: false, submission: null, clips: [] };
  assert.deepEqual(await act('find_submission', { customer_email, status: 'paid' }), none);
  assert.deepEqual(await act('find_submission', { customer_email: newCustomer() }), none);
  assert.equal((await act('find_submission', { customer_email: ' ', status: 'in_progress' })).found, true);
  assert.deepEqual(await act('find_submission', { submission_id: 'sub_none' }), none);
});

test('an event is published once for one idempotency key', async () => {
  const order = { event_type: 'order.created', payload: { total: 4.5 }, idempotency_key: randomUUID() };
  const event = await act('publish_event', order);
  assert.deepEqual(event.payload, { total: 4.5 });
  assert.equal((await act('publish_event', order)).id, event.id);
  assert.notEqual((await act('publish_event', { ...order, idempotency_key: undefined })).id, event.id);
});

test('a delivery is found, and sent again', async (t) => {
  const flow = await Flow.start(t);
  const trigger = relay.getTrigger('clip_uploaded');
  await trigger.onEnable(flow.context());
  const event = await act('publish_event', { event_type: 'clip.uploaded', payload: {} });
  const first = await flow.payload();

  const delivered = await until(() => act('find_delivery', { event_id: event.id, status: 'success' }));
  assert.equal(delivered.delivery.event_id, event.id);
  assert.equal(delivered.delivery.attempts.length, 1);
  assert.deepEqual(await act('find_delivery', { delivery_id: delivered.delivery.id }), delivered);
  const none = { found: false, delivery: null };
  assert.deepEqual(await act('find_delivery', { event_id: event.id, status: 'dead' }), none);
  assert.deepEqual(await act('find_delivery', { delivery_id: 'none' }), none);

  await act('retry_delivery', { delivery_id: delivered.delivery.id });
  assert.equal((await flow.payload()).rawBody, first.rawBody);
});

test('any other operation can be called', async () => {
  const page = await act('custom_api_call', { method: 'GET', path: '/v1/events', query: { limit: 1 }, body: {} });
  assert.ok(page.data.length <= 1);
  const body = { type: 'custom.call', payload: { a: 1 } };
  assert.equal((await act('custom_api_call', { method: 'POST', path: '/v1/events', body })).type, 'custom.call');
  await assert.rejects(act('custom_api_call', { method: 'GET', path: 'v1/events' }), /Path must start with a slash/);
});

test('what Relay refuses is said in its words', async () => {
  await assert.rejects(act('create_invitation', { customer_email: 'nobody' }), /Relay answered 400: .*customer_email/);
  await assert.rejects(act('find_submission', { customer_email: 'nobody' }), /Relay answered 400: .*customer_email/);
  await assert.rejects(act('publish_event', { event_type: 'Not a type', payload: {} }), /Relay answered 400: /);
  await assert.rejects(act('retry_delivery', { delivery_id: 'none' }), /Relay answered 404: /);
});

function newCustomer() {
  return `dana-${randomUUID()}@example.com`;
}

async function until(find) {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const answer = await find();
    if (answer.found) {
      return answer;
    }
    assert.ok(Date.now() < deadline, 'nothing was found in time');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
