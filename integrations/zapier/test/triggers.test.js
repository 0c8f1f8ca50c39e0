'use strict';

// Each trigger through its whole life: subscribed, sent a real event by Relay, sampled, unsubscribed.

const assert = require('node:assert/strict');
const test = require('node:test');

const { AUTH, RELAY_URL, App, Zap, catchHooks, create, refusal, relay, run, serve } = require('./zapier');
const eventTypes = require('../event_types.json');

const ENVELOPE = ['id', 'event_id', 'event_type', 'occurred_at', 'occurred_at_unix'];
const REVIEW = eventTypes.find(({ id }) => id === 'review.created');
const keyOf = ({ id }) => id.replaceAll('.', '_');
const sorted = (object) => Object.keys(object).sort();

/** What a producer would publish for the sample. */
const payloadOf = ({ sample }) =>
  Object.fromEntries(Object.entries(sample).filter(([key]) => !ENVELOPE.includes(key)));

/** What a person would fill in so that the sample's event is theirs; `delta` means a wish there, a result here. */
const inputsOf = ({ inputs, sample }) =>
  Object.fromEntries(
    inputs.filter(({ key }) => key in sample && key !== 'delta').map(({ key }) => [key, String(sample[key])]),
  );

const publish = ({ id }, payload) =>
  create('publishEvent', { event_type: id, payload_json: JSON.stringify(payload) });

const hooks = async () => (await relay('/api/v1/hooks')).map(({ id }) => id);

for (const eventType of eventTypes) {
  for (const trigger of [keyOf(eventType), 'newEvent']) {
    test(`${trigger} for ${eventType.id}`, async (t) => {
      const inputData = inputsOf(eventType);
      if (trigger === 'newEvent') inputData.event_type = eventType.id;
      const zap = await new Zap(await catchHooks(t), trigger, inputData).turnOn();
      const { subscribeData } = zap.bundle;
      assert.match(subscribeData.id, /^zapier-/);
      assert.ok(subscribeData.secret);

      await publish(eventType, payloadOf(eventType));
      const [event, ...more] = await zap.perform(await zap.next());
      assert.deepEqual(more, []);
      assert.equal(event.event_type, eventType.id);
      assert.deepEqual(sorted(event), sorted(eventType.sample));
      for (const [key, value] of Object.entries(payloadOf(eventType))) {
        if (value !== null) assert.equal(typeof event[key], typeof value, key);
      }

      const samples = await zap.run('performList');
      assert.ok(samples.length >= 1 && samples.length <= 3);
      // The newest of them is the event that was just published.
      assert.deepEqual(sorted(samples[0]), sorted(event));
      for (const key of Object.keys(payloadOf(eventType))) {
        if (key !== 'subscriber_id') assert.deepEqual(samples[0][key], event[key], key);
      }

      const fields = await zap.run('outputFields');
      assert.deepEqual(fields.map(({ key }) => key).sort(), sorted(event));
      const staticSample = App.triggers[trigger].operation.sample;
      assert.ok(sorted(staticSample).every((key) => key in event));

      assert.deepEqual(await zap.turnOff(), {});
      assert.ok(!(await hooks()).includes(subscribeData.id));
      assert.deepEqual(await zap.turnOff(), {});
    });
  }
}

test('Relay can tell which Zap a hook belongs to', async (t) => {
  const zap = await new Zap(await catchHooks(t), 'clip_approved', {}, '4711').turnOn();
  const hook = (await relay('/api/v1/hooks')).find(({ id }) => id === zap.bundle.subscribeData.id);
  assert.equal(hook.source, 'zapier');
  assert.equal(hook.external_ref, 'zap:4711');
  assert.equal(hook.target_url, zap.bundle.targetUrl);
  await zap.turnOff();
});

test('Zapier need not say which Zap it is', async (t) => {
  const zap = new Zap(await catchHooks(t), 'clip_approved');
  delete zap.bundle.meta;
  await zap.turnOn();
  await zap.turnOff();
});

test('two Zaps on one event type do not touch each other', async (t) => {
  const caught = await catchHooks(t);
  const [first, second] = [
    await new Zap(caught, 'clip_approved').turnOn(),
    await new Zap(caught, 'clip_approved').turnOn(),
  ];
  const [eventType] = eventTypes.filter(({ id }) => id === 'clip.approved');
  await publish(eventType, { n: 1 });
  assert.equal((await first.perform(await first.next()))[0].n, 1);
  const forSecond = await second.next();
  assert.equal((await second.perform(forSecond))[0].n, 1);
  assert.equal((await refusal(first.perform(forSecond))).name, 'HaltedError');

  await first.turnOff();
  await publish(eventType, { n: 2 });
  assert.equal((await second.perform(await second.next()))[0].n, 2);
  assert.equal(caught.waiting(first.bundle.targetUrl), 0);
  await second.turnOff();
});

test('stars choose which reviews start a Zap', async (t) => {
  const caught = await catchHooks(t);
  const app = inputsOf(REVIEW);
  const bad = await new Zap(caught, 'review_created', { ...app, min_stars: '', max_stars: '3' }).turnOn();
  const good = await new Zap(caught, 'review_created', { ...app, min_stars: '4' }).turnOn();
  for (const rating of [2, 5]) await publish(REVIEW, { ...payloadOf(REVIEW), rating, review_id: `stars-${rating}` });
  assert.equal((await bad.perform(await bad.next()))[0].rating, 2);
  assert.equal((await good.perform(await good.next()))[0].rating, 5);
  assert.ok((await good.run('performList')).every(({ rating }) => rating >= 4));
  await bad.turnOff();
  await good.turnOff();
  assert.equal(caught.waiting(bad.bundle.targetUrl) + caught.waiting(good.bundle.targetUrl), 0);
});

test('what Relay did not sign never runs a Zap', async (t) => {
  const zap = await new Zap(await catchHooks(t), 'clip_approved').turnOn();
  await publish({ id: 'clip.approved' }, { who: 'Zoë ✓' });
  const request = await zap.next();
  assert.equal((await zap.perform(request))[0].who, 'Zoë ✓');

  const { 'Http-X-Radar-Signature': signature, ...unsigned } = request.headers;
  const forged = [
    { ...request, content: request.content.replace('Zoë', 'Eve') },
    { ...request, headers: unsigned },
    { ...request, headers: { ...unsigned, 'Http-X-Radar-Signature': signature.replace(/.$/, (c) => (c === '0' ? '1' : '0')) } },
    { ...request, headers: { ...unsigned, 'Http-X-Radar-Signature': `${signature}0` } },
    { ...request, headers: { ...unsigned, 'Http-X-Radar-Signature': 'sha256=' } },
  ];
  for (const rawRequest of forged) {
    const error = await refusal(zap.perform(rawRequest));
    assert.equal(error.name, 'HaltedError');
    assert.match(error.message, /was not signed by your Relay/);
  }
  const { secret, ...withoutSecret } = zap.bundle.subscribeData;
  assert.ok(secret);
  const error = await refusal(zap.run('perform', { rawRequest: request, subscribeData: withoutSecret }));
  assert.equal(error.name, 'HaltedError');
  assert.equal((await zap.perform({ ...request, headers: { ...unsigned, 'x-radar-signature': signature } })).length, 1);
  await zap.turnOff();
});

test('an unsubscribe that Relay refuses is not taken for done', async (t) => {
  const zap = await new Zap(await catchHooks(t), 'clip_approved').turnOn();
  const authData = { ...AUTH, api_key: `rp_live_${'z'.repeat(32)}` };
  assert.equal((await refusal(zap.run('performUnsubscribe', { authData }))).status, 401);
  await zap.turnOff();
});

test('a Relay that cannot list events gives its made-up one', async (t) => {
  const older = await serve(t, async (request, response) => {
    if (request.url.startsWith('/api/v1/events?')) {
      response.writeHead(404).end('{"error":"not found"}');
      return;
    }
    const answer = await fetch(RELAY_URL + request.url, { headers: { Authorization: request.headers.authorization } });
    response.writeHead(answer.status).end(await answer.text());
  });
  const samples = await run('triggers.clip_approved.operation.performList', { authData: { ...AUTH, base_url: older } });
  const [eventType] = eventTypes.filter(({ id }) => id === 'clip.approved');
  assert.deepEqual(samples, [eventType.sample]);
});

test('New Event asks for what the chosen event type needs', async () => {
  const form = (inputData) => run('triggers.newEvent.operation.inputFields', { inputData });
  assert.deepEqual((await form({})).map(({ key }) => key), ['event_type']);
  const fields = await form({ event_type: 'review.created' });
  assert.deepEqual(fields.slice(1), App.triggers.review_created.operation.inputFields);
  assert.deepEqual(await run('triggers.newEvent.operation.outputFields', { inputData: {} }), []);
  assert.match((await refusal(form({ event_type: 'no.such/type?' }))).message, /no event type with that id/);
});

test('the drop-down of event types', async () => {
  const listed = await run('triggers.eventTypeList.operation.perform');
  assert.deepEqual(listed, eventTypes.map(({ id, label }) => ({ id, label })));
});

test('the form of a review asks for store, app, country and stars', async () => {
  const fields = await run('triggers.review_created.operation.inputFields');
  const [store, app, country, ...stars] = fields;
  assert.deepEqual(
    store.choices.map(({ value, sample, label }) => [value, sample, label]),
    [['apple', 'apple', 'App Store'], ['google', 'google', 'Google Play']],
  );
  assert.equal(app.dynamic, 'appList.id.label');
  assert.deepEqual(app.dependsOn, ['store']);
  assert.equal(country.placeholder, 'us');
  assert.deepEqual(stars.map(({ key, type }) => [key, type]), [['min_stars', 'integer'], ['max_stars', 'integer']]);
  assert.deepEqual(fields.filter(({ required }) => required), [store, app]);
  assert.ok(fields.every((field) => field === store || field.helpText));
});

test('the drop-down of apps has each app of the chosen store once', async (t) => {
  const caught = await catchHooks(t);
  const apple = String(Date.now());
  const google = `com.example.only${apple}`;
  const zaps = [
    new Zap(caught, 'review_created', { store: 'apple', app_id: apple, country: 'us' }),
    new Zap(caught, 'review_created', { store: 'apple', app_id: apple, country: 'de' }),
    new Zap(caught, 'review_created', { store: 'google', app_id: google }),
  ];
  for (const zap of zaps) await zap.turnOn();
  // Whoever else has hooks at this Relay is listed too.
  const listed = async (inputData) =>
    (await run('triggers.appList.operation.perform', { inputData }))
      .filter(({ id }) => [apple, google].includes(id))
      .map(({ id, label }) => `${id} ${label}`);
  assert.deepEqual(await listed({ store: 'apple' }), [`${apple} ${apple}`]);
  assert.deepEqual(await listed({ store: 'google' }), [`${google} ${google}`]);
  assert.equal((await listed({})).length, 2);
  for (const zap of zaps) await zap.turnOff();
});
