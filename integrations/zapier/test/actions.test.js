'use strict';

// The creates and searches against a real Relay.

const assert = require('node:assert/strict');
const { randomUUID } = require('node:crypto');
const test = require('node:test');

const { App, Zap, catchHooks, create, refusal, relay, search } = require('./zapier');

const keys = (object) => Object.keys(object).sort();
const newAddress = () => `dana-${randomUUID()}@example.com`;
const creates = (key) => App.creates[key].operation;
const searches = (key) => App.searches[key].operation;

test('Create Invitation makes one link for a customer, however often it runs', async () => {
  const customer_email = newAddress();
  const inputData = { customer_email, customer_name: 'Dana', customer_phone: '(555) 555-0142', send_email: 'false' };
  const first = await create('createInvitation', inputData);
  assert.deepEqual(keys(first), keys(creates('createInvitation').sample));
  assert.equal(first.customer_email, customer_email);
  assert.equal(first.customer_phone, '5555550142');
  assert.equal(first.reused, false);
  assert.match(first.created_at, /^20\d\d-.+Z$/);
  assert.ok(first.link.endsWith(first.invite_token));

  const again = await create('createInvitation', { ...inputData, send_email: false });
  assert.deepEqual(again, { ...first, reused: true });
});

test('Mint Magic Link gives the same customer the same link', async () => {
  const inputData = { customer_email: newAddress() };
  const minted = await create('mintMagicLink', inputData);
  assert.deepEqual(keys(minted), keys(creates('mintMagicLink').sample));
  assert.equal((await create('createInvitation', { ...inputData, send_email: false })).link, minted.link);
});

test('Publish Event reaches whoever is subscribed, with texts and with JSON', async (t) => {
  const zap = await new Zap(await catchHooks(t), 'clip_approved').turnOn();
  const published = await create('publishEvent', {
    event_type: 'clip.approved',
    payload: { note: 'Hello {{name}}', total: '4.50' },
    payload_json: '{"total": 4.5, "lines": [{"sku": "a", "price": 1.25}]}',
  });
  assert.deepEqual(keys(published), keys(creates('publishEvent').sample));
  assert.equal(published.event_type, 'clip.approved');
  assert.ok(published.deliveries >= 1);
  const [event] = await zap.perform(await zap.next());
  assert.equal(event.event_id, published.id);
  assert.equal(event.note, 'Hello {{name}}');
  assert.equal(event.total, '4.50');
  assert.deepEqual(event.lines, [{ sku: 'a', price: 1.25 }]);
  await zap.turnOff();
});

test('a replayed run publishes once, other runs publish each time', async () => {
  const run = (deduplication_key, more) => create('publishEvent', { event_type: 'order.paid', deduplication_key, ...more });
  const trigger = randomUUID();
  const first = await run(trigger);
  assert.deepEqual(await run(trigger), first);
  assert.notEqual((await run(randomUUID())).id, first.id);
  // Another step of the same run, and a run that was corrected before its replay.
  assert.notEqual((await run(trigger, { event_type: 'order.shipped' })).id, first.id);
  assert.notEqual((await run(trigger, { payload: { total: '5' } })).id, first.id);
  // Nobody said what tells the runs apart.
  assert.notEqual((await run(undefined)).id, (await run(undefined)).id);
});

test('any text will do as a deduplication key', async () => {
  const deduplication_key = `${'ü'.repeat(300)}\n${randomUUID()}`;
  const run = () => create('publishEvent', { event_type: 'order.paid', deduplication_key });
  assert.equal((await run()).id, (await run()).id);
});

for (const [payload_json, text] of [
  ['{"total": 4.5', /Payload as JSON is not JSON/],
  ['[1, 2]', /must be a JSON object/],
  ['null', /must be a JSON object/],
]) {
  test(`Publish Event refuses ${payload_json} as a payload`, async () => {
    assert.match((await refusal(create('publishEvent', { event_type: 'order.paid', payload_json }))).message, text);
  });
}

test('Find Submission finds a customer by address and by id', async () => {
  const customer_email = `dana+${newAddress()}`;
  const { id } = await create('mintMagicLink', { customer_email, customer_name: 'Dana' });
  const { clips, ...shown } = searches('findSubmission').sample;
  for (const inputData of [
    { customer_email: ` ${customer_email.toUpperCase()} ` },
    { submission_id: id },
    { submission_id: id, customer_email },
  ]) {
    const [found, ...more] = await search('findSubmission', inputData);
    assert.deepEqual(more, []);
    assert.deepEqual(keys(found), keys({ clips, ...shown }));
    assert.equal(found.id, id);
    assert.equal(found.status, 'in_progress');
    assert.deepEqual(found.clips, []);
  }
});

test('Find Submission finds nobody', async () => {
  assert.deepEqual(await search('findSubmission', { customer_email: newAddress() }), []);
  assert.deepEqual(await search('findSubmission', { submission_id: 'sub_nosuchthing' }), []);
  assert.deepEqual(await search('findSubmission', { submission_id: '../webhooks' }), []);
  const customer_email = newAddress();
  const { id } = await create('mintMagicLink', { customer_email });
  assert.deepEqual(await search('findSubmission', { submission_id: id, customer_email: newAddress() }), []);
  assert.deepEqual(await search('findSubmission', { submission_id: 'sub_nosuchthing', customer_email }), []);
  const { message } = await refusal(search('findSubmission', { customer_email: 'nobody' }));
  assert.equal(message, 'Relay refused this: customer_email must be a valid email address.');
  assert.match((await refusal(search('findSubmission', {}))).message, /^Enter a Submission ID or a Customer Email/);
});

test('Find Delivery tells what became of an event', async (t) => {
  const zap = await new Zap(await catchHooks(t), 'payout_sent').turnOn();
  const { id: event_id } = await create('publishEvent', { event_type: 'payout.sent', payload: { amount: '5' } });
  const request = await zap.next();
  const subscription_id = zap.bundle.subscribeData.id;
  const delivery_id = request.headers['Http-Webhook-Id'];

  const deadline = Date.now() + 20_000;
  let found;
  do [found] = await search('findDelivery', { event_id });
  while (found.status === 'pending' && Date.now() < deadline);
  assert.deepEqual(keys(found), keys(searches('findDelivery').sample));
  assert.deepEqual(
    [found.id, found.event_id, found.event_type, found.subscription_id, found.status, found.final_status_code],
    [delivery_id, event_id, 'payout.sent', subscription_id, 'success', 200],
  );
  assert.equal(found.last_answer, '{"status":"success"}');
  for (const inputData of [{ delivery_id }, { subscription_id }, { subscription_id, status: 'success', event_id: '' }]) {
    assert.deepEqual(await search('findDelivery', inputData), [found]);
  }
  assert.deepEqual(await search('findDelivery', { subscription_id, status: 'dead' }), []);
  assert.deepEqual(await search('findDelivery', { delivery_id: '01M4ATB2SA0V1J5D7Q9W2E4R6T' }), []);
  assert.match((await refusal(search('findDelivery', {}))).message, /^Enter at least one/);
  await zap.turnOff();
  assert.equal((await relay(`/v1/deliveries/${delivery_id}`)).status, 'success');
});
