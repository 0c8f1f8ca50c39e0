'use strict';

// One trigger for each event type of the catalogue, under the name people look for, with its fields known beforehand.

const { inputFieldsOf, outputFieldsOf } = require('../fields');
const { titleCase } = require('../words');
const { hookOperation } = require('./hook');

const LABEL_LENGTH = 64;

function namedTriggers(eventTypes) {
  const idOfKey = new Map();
  return eventTypes.map((eventType) => {
    const key = keyOf(eventType.id);
    if (idOfKey.has(key)) {
      throw new Error(`${idOfKey.get(key)} and ${eventType.id} would be one trigger, ${key}: rename one event type`);
    }
    idOfKey.set(key, eventType.id);
    return namedTrigger(key, eventType);
  });
}

function namedTrigger(key, eventType) {
  const label = titleCase(eventType.label).slice(0, LABEL_LENGTH);
  return {
    key,
    noun: label,
    display: { label, description: description(eventType) },
    operation: hookOperation(() => eventType.id, {
      inputFields: inputFieldsOf(eventType),
      outputFields: outputFieldsOf(eventType),
      sample: eventType.sample,
    }),
  };
}

/** Lower case, so that no event type can take the key of a trigger that is ours, like newEvent. */
const keyOf = (id) => id.replace(/^[^a-z]/, 'event_$&').replace(/[^a-z0-9]/g, '_');

/** Zapier insists on this form; a file of the operator's own need not have it. */
function description({ id, description: given }) {
  return /^Triggers when .+\.$/s.test(given) ? given : `Triggers when ${id} happens.`;
}

module.exports = { namedTriggers };
