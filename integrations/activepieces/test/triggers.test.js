/** A flow's life at a real Relay: turned on, called, tested, turned off. */

import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';

import eventTypes from '../src/event_types.json' with { type: 'json' };
import { auth, closedPort, Flow, publish, relay } from './platform.js';

const newEvent = relay.getTrigger('new_event');
const REVIEW = { store: 'apple', app_id: '284882215', rating: 2, title: 'Crashes', country: 'us' };

test('every event type has a trigger of its own, with labels and a sample', () => {
  const names = Object.keys(relay.triggers());
  assert.deepEqual(names, ['new_event', ...eventTypes.map(({ id }) => id.replaceAll('.', '_'))]);
  for (const { id, label, fields, inputs, sample } of eventTypes) {
    const trigger = relay.getTrigger(id.replaceAll('.', '_'));
    assert.equal(trigger.displayName, label);
    assert.equal(trigger.testStrategy, 'TEST_FUNCTION');
    assert.deepEqual(trigger.sampleData, sample);
    assert.deepEqual(Object.keys(trigger.props), inputs.map(({ key }) => key));
    assert.deepEqual(trigger.outputSchema.fields.map((field) => field.label), fields.map((field) => field.label));
  }
});

test('the drop-down has what the server knows, and the form follows the choice', async () => {
  const { event_type, inputs } = newEvent.props;
  assert.equal((await event_type.options({})).disabled, true);
  const { options } = await event_type.options({ auth });
  assert.deepEqual(options.map(({ value }) => value), eventTypes.map(({ id }) => id));

  assert.deepEqual(await inputs.props({ auth, event_type: 'clip.approved' }), {});
  const form = await inputs.props({ auth, event_type: 'rating.dropped' });
  assert.deepEqual(
    Object.entries(form).map(([key, { type, required }]) => [key, type, required]),
    [
      ['store', 'STATIC_DROPDOWN', true],
      ['app_id', 'SHORT_TEXT', true],
      ['country', 'SHORT_TEXT', false],
      ['threshold', 'NUMBER', false],
      ['delta', 'NUMBER', false],
    ],
  );
});

test('a flow that is on gets the event once, and one that is off has no hook', async (t) => {
  const flow = await Flow.start(t);
  const values = { event_type: 'payout.sent', inputs: {} };
  await newEvent.onEnable(flow.context(values));
  const [hook] = await flow.hooks();
  assert.match(hook.id, /^activepieces-/);
  assert.equal(hook.source, 'activepieces');
  assert.equal(hook.external_ref, 'flow-1');

  const { id } = await publish('payout.sent', { amount: 25 });
  const payload = await flow.payload();
  const events = await newEvent.run(flow.context(values, payload));
  assert.equal(events.length, 1);
  assert.equal(events[0].event_id, id);
  assert.equal(events[0].amount, 25);
  const asBuffer = { ...payload, rawBody: Buffer.from(payload.rawBody) };
  assert.deepEqual(await newEvent.run(flow.context(values, asBuffer)), events);

  await newEvent.onDisable(flow.context(values));
  assert.deepEqual(await flow.hooks(), []);
  await newEvent.onDisable(flow.context(values));
  assert.deepEqual(await newEvent.run(flow.context(values, payload)), [], 'the secret is gone with the hook');
});

test('nothing comes of a request that the hook did not sign', async (t) => {
  const flow = await Flow.start(t);
  const values = { event_type: 'payout.failed', inputs: {} };
  await newEvent.onEnable(flow.context(values));
  await publish('payout.failed', { amount: 25 });
  const payload = await flow.payload();
  const changed = (change) => newEvent.run(flow.context(values, { ...payload, ...change }));

  assert.deepEqual(await changed({ rawBody: payload.rawBody.replace('25', '26') }), []);
  assert.deepEqual(await changed({ rawBody: `${payload.rawBody} ` }), []);
  assert.deepEqual(await changed({ rawBody: undefined }), [], 'the parsed body proves nothing');
  assert.deepEqual(await changed({ headers: {} }), []);
  const signature = payload.headers['x-radar-signature'];
  const other = signature.replace(/.$/, (last) => (last === '0' ? '1' : '0'));
  assert.deepEqual(await changed({ headers: { 'x-radar-signature': other } }), []);
  assert.equal((await changed({})).length, 1);
});

test('turning a flow on again leaves no hook behind', async (t) => {
  const flow = await Flow.start(t);
  const values = { event_type: 'render.succeeded', inputs: {} };
  await newEvent.onEnable(flow.context(values));
  const [first] = await flow.hooks();
  await newEvent.onEnable(flow.context(values));
  const hooks = await flow.hooks();
  assert.equal(hooks.length, 1);
  assert.notEqual(hooks[0].id, first.id);

  await publish('render.succeeded', {});
  assert.equal((await newEvent.run(flow.context(values, await flow.payload()))).length, 1, 'with the new secret');
});

test('a named trigger subscribes with its form, and only what matches arrives', async (t) => {
  const flow = await Flow.start(t);
  const reviews = relay.getTrigger('review_created');
  const values = { store: 'apple', app_id: '284882215', min_stars: 1, max_stars: '3' };
  await reviews.onEnable(flow.context(values));
  const [hook] = await flow.hooks();
  assert.deepEqual([hook.event_type, hook.store, hook.app_id], ['review.created', 'apple', '284882215']);

  await publish('review.created', { ...REVIEW, rating: 5, review_id: '1' });
  await publish('review.created', { ...REVIEW, rating: 2, review_id: '2' });
  const [event] = await reviews.run(flow.context(values, await flow.payload()));
  assert.equal(event.review_id, '2');

  const [shown] = await reviews.test(flow.context(values));
  assert.equal(shown.review_id, '2');
});

test('the dynamic trigger passes on what its form asked for', async (t) => {
  const flow = await Flow.start(t);
  const inputs = { store: 'google', app_id: 'com.acme.notes', threshold: 4.5, delta: null };
  await newEvent.onEnable(flow.context({ event_type: 'rating.dropped', inputs }));
  const [hook] = await flow.hooks();
  assert.deepEqual([hook.event_type, hook.app_id, hook.country], ['rating.dropped', 'com.acme.notes', 'us']);
});

test('a test shows the sample first and real events as soon as there are some', async (t) => {
  const flow = await Flow.start(t);
  const app = { store: 'apple', app_id: String(randomInt(1e9, 1e12)) };
  const both = () =>
    Promise.all([
      newEvent.test(flow.context({ event_type: 'review.created', inputs: app })),
      relay.getTrigger('review_created').test(flow.context(app)),
    ]);
  const { sample } = eventTypes.find(({ id }) => id === 'review.created');
  assert.deepEqual(await both(), [[sample], [sample]]);

  await publish('review.created', { ...REVIEW, ...app, review_id: 'older' });
  await publish('review.created', { ...REVIEW, ...app, review_id: 'newer' });
  for (const events of await both()) {
    assert.deepEqual(events.map(({ review_id }) => review_id), ['newer', 'older']);
  }
  assert.deepEqual(await flow.hooks(), [], 'testing subscribes nothing');
});

test('what Relay refuses is said in its words, and nothing is stored', async (t) => {
  const flow = await Flow.start(t);
  const context = flow.context({ event_type: 'review.created', inputs: { store: 'apple' } });
  await assert.rejects(newEvent.onEnable(context), /Relay answered 400: app_id is required/);
  await newEvent.onDisable(context);
  assert.deepEqual(await flow.hooks(), []);
});

test('a key that was revoked does not keep a flow on', async (t) => {
  const flow = await Flow.start(t);
  const values = { event_type: 'payout.delivered' };
  await newEvent.onEnable(flow.context(values));
  const revoked = { props: { ...auth.props, api_key: `rp_live_${'x'.repeat(32)}` } };
  await newEvent.onDisable(flow.context(values, {}, revoked));
  assert.equal(await flow.context().store.get('hook'), null);
});

test('a hook is kept in mind while Relay cannot be reached', async (t) => {
  const flow = await Flow.start(t);
  const values = { event_type: 'clip.rejected' };
  await newEvent.onEnable(flow.context(values));
  const away = { props: { ...auth.props, base_url: `http://127.0.0.1:${await closedPort()}` } };
  await assert.rejects(newEvent.onDisable(flow.context(values, {}, away)), /Relay cannot be reached at/);
  assert.equal((await flow.hooks()).length, 1);
  await newEvent.onDisable(flow.context(values));
  assert.deepEqual(await flow.hooks(), []);
});
