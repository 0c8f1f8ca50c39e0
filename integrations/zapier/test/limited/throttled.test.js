'use strict';

// A Relay that takes few requests a minute makes Zapier wait, and says for how long.

const assert = require('node:assert/strict');
const test = require('node:test');

const { create, refusal } = require('../zapier');

test('more than RELAY_RATE_LIMIT requests a minute', async () => {
  const publish = () => create('publishEvent', { event_type: 'order.paid' });
  for (let done = 0; done < Number(process.env.RELAY_RATE_LIMIT); done += 1) await publish();
  const error = await refusal(publish());
  assert.equal(error.name, 'ThrottledError');
  assert.ok(error.delay >= 1 && error.delay <= 60, error.delay);
  assert.match(error.message, /^Relay asks to wait/);
});
