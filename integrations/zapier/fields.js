'use strict';

// From what Relay says about an event type to the fields of Zapier's editor.

/** Lists and objects have no type in Zapier; it finds their parts in the sample by itself. */
const SHOWN_TYPES = new Set(['string', 'integer', 'number', 'boolean', 'datetime']);

/** What a trigger for this event type asks for besides the event type. */
const inputFieldsOf = (eventType) => eventType.inputs.map(inputField);

/** What a Zap can map from an event of this type. */
function outputFieldsOf(eventType) {
  return eventType.fields
    .filter((field) => SHOWN_TYPES.has(field.type))
    .map(({ key, label, type }) => ({ key, label, type }));
}

function inputField({ key, label, type, required, help, choices }) {
  return {
    key,
    label,
    type,
    required,
    ...(help && { helpText: help }),
    ...(choices && { choices: choices.map((choice) => ({ ...choice, sample: choice.value })) }),
    ...(key === 'app_id' && APPS),
    ...(key === 'country' && { placeholder: 'us' }),
  };
}

const APPS = {
  dynamic: 'appList.id.label',
  dependsOn: ['store'],
  helpText:
    'The list has the apps that this Relay watches already. For another one, choose Custom and enter the number in the ' +
    'address of its App Store page, or its package name on Google Play.',
};

module.exports = { inputFieldsOf, outputFieldsOf };
