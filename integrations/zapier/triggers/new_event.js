'use strict';

// One trigger for whatever the connected Relay knows, types added by its operator included: it is asked for their form.

const { inputFieldsOf, outputFieldsOf } = require('../fields');
const { hookOperation } = require('./hook');

async function chosen(z, bundle) {
  const response = await z.request({ url: `/api/v1/event-types/${encodeURIComponent(bundle.inputData.event_type)}` });
  return response.data;
}

const EVENT_TYPE = {
  key: 'event_type',
  label: 'Event Type',
  type: 'string',
  required: true,
  dynamic: 'eventTypeList.id.label',
  altersDynamicFields: true,
  helpText: 'What has to happen for the Zap to run. The list comes from your Relay.',
};

module.exports = {
  key: 'newEvent',
  noun: 'Event',
  display: {
    label: 'New Event',
    description: 'Triggers when an event of the type you choose happens.',
  },
  operation: hookOperation((bundle) => bundle.inputData.event_type, {
    inputFields: [
      EVENT_TYPE,
      async (z, bundle) => (bundle.inputData.event_type ? inputFieldsOf(await chosen(z, bundle)) : []),
    ],
    outputFields: [async (z, bundle) => (bundle.inputData.event_type ? outputFieldsOf(await chosen(z, bundle)) : [])],
    // What every event has, whatever its type.
    sample: {
      id: '01M4ATB2R8S6C851Q2XF3XHPV7',
      event_id: '01M4ATB2R8S6C851Q2XF3XHPV7',
      event_type: 'order.created',
      occurred_at: '2026-10-07T09:15:33Z',
      occurred_at_unix: 1791364533,
    },
  }),
};
