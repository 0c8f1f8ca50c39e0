'use strict';

// What Zapier checks before it takes an integration. The rules named D… are those it checks on its own servers.

const assert = require('node:assert/strict');
const test = require('node:test');

const { App, handler } = require('./zapier');
const eventTypes = require('../event_types.json');
const packageJson = require('../package.json');
const { namedTriggers } = require('../triggers/named');
const { titleCase } = require('../words');

const visible = (operations) => Object.values(operations).filter(({ display }) => !display.hidden);
const TRIGGERS = visible(App.triggers);
const ACTIONS = [...visible(App.creates), ...visible(App.searches)];
const ALL = [...TRIGGERS, ...ACTIONS];
const staticFields = (fields = []) => fields.filter((field) => typeof field === 'object');

test('`zapier-platform validate` has nothing to say: it runs this very command of core', async () => {
  assert.deepEqual((await handler({ command: 'validate' })).results, []);
});

test('the definition that is uploaded can be made, and holds no code', async () => {
  const { results } = await handler({ command: 'definition' });
  assert.deepEqual(JSON.parse(JSON.stringify(results)), results);
  assert.equal(results.platformVersion, packageJson.dependencies['zapier-platform-core']);
});

test('the version of core is exact, as the CLI demands', () => {
  assert.deepEqual(Object.keys(packageJson.dependencies), ['zapier-platform-core']);
  assert.match(packageJson.dependencies['zapier-platform-core'], /^\d+\.\d+\.\d+$/);
});

test('every event type of the catalogue has its trigger', () => {
  const keys = eventTypes.map(({ id }) => id.replaceAll('.', '_'));
  assert.deepEqual(TRIGGERS.map(({ key }) => key).sort(), ['newEvent', ...keys].sort());
});

test('D018: names are in title case', () => {
  for (const { display } of ALL) assert.equal(display.label, titleCase(display.label));
  assert.equal(titleCase('rating of an app dropped'), 'Rating of an App Dropped');
});

test('D021: descriptions of triggers have Zapier’s form, those of actions begin with a verb', () => {
  for (const { display } of TRIGGERS) assert.match(display.description, /^Triggers when .+\.$/);
  for (const { display } of ACTIONS) assert.match(display.description, /^(Finds|Invites|Makes|Publishes) .+\.$/);
});

test('D003, D006, D009, D016: label, list for samples, something to search by, subscribe and unsubscribe', () => {
  assert.equal(typeof App.authentication.connectionLabel, 'function');
  for (const { operation } of TRIGGERS) {
    for (const method of ['perform', 'performList', 'performSubscribe', 'performUnsubscribe']) {
      assert.equal(typeof operation[method], 'function');
    }
  }
  for (const { operation } of ACTIONS) assert.ok(staticFields(operation.inputFields).length > 0);
});

test('D001, D005, D008, D011: keys only in the connection, drop-downs that exist, help that helps', () => {
  for (const { operation } of ALL) {
    for (const field of staticFields(operation.inputFields)) {
      assert.doesNotMatch(field.key, /api_key|secret|token|password/);
      assert.ok(field.label);
      assert.notEqual(field.helpText, field.label);
      // A link that is no link has to stand in backticks.
      assert.doesNotMatch((field.helpText ?? '').replace(/`[^`]*`/g, ''), /https?:/);
      if (field.dynamic) assert.ok(App.triggers[field.dynamic.split('.')[0]].display.hidden);
    }
  }
});

test('every field of an action has a help text', () => {
  for (const { operation } of ACTIONS) {
    for (const field of operation.inputFields) assert.ok(field.helpText, field.key);
  }
});

const FITS = {
  string: (value) => typeof value === 'string',
  integer: Number.isInteger,
  number: (value) => typeof value === 'number',
  boolean: (value) => typeof value === 'boolean',
  datetime: (value) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(value),
};

test('D012, D023, D024: every sample has the fields that are promised, of the types that are promised', () => {
  for (const { key, operation } of ALL) {
    assert.ok(operation.sample.id, key);
    for (const field of staticFields(operation.outputFields)) {
      const [list, inside] = field.key.split('[]');
      const value = inside ? operation.sample[list][0][inside] : operation.sample[list];
      assert.notEqual(value, undefined, `${key}: ${field.key}`);
      if (value !== null) assert.ok(FITS[field.type](value), `${key}: ${field.key}`);
    }
  }
});

test('event types of an operator’s own become triggers that Zapier takes', async () => {
  const own = (id, more) => ({ id, label: id, description: 'Anything', inputs: [], fields: [], sample: { id }, ...more });
  const [plain, odd, long] = namedTriggers([
    own('order.paid', { label: 'Order paid', description: 'Triggers when an order is paid.' }),
    own('2fa.turned-on'),
    own('a.b', { label: 'word '.repeat(30) }),
  ]);
  assert.deepEqual(plain.display, { label: 'Order Paid', description: 'Triggers when an order is paid.' });
  assert.equal(odd.key, 'event_2fa_turned_on');
  assert.equal(odd.display.description, 'Triggers when 2fa.turned-on happens.');
  assert.ok(long.display.label.length <= 64);
  assert.throws(() => namedTriggers([own('a.b'), own('a_b')]), /rename one/);
});

test('lists and objects are left for Zapier to find in the sample', () => {
  const [trigger] = namedTriggers([
    {
      ...eventTypes[0],
      fields: [
        { key: 'total', label: 'Total', type: 'number', help: 'With tax.' },
        { key: 'lines', label: 'Lines', type: 'list' },
        { key: 'buyer', label: 'Buyer', type: 'object' },
      ],
    },
  ]);
  assert.deepEqual(trigger.operation.outputFields, [{ key: 'total', label: 'Total', type: 'number' }]);
});
