'use strict';

// An event from a Zap to everything that is subscribed to its type.

const { createHash } = require('node:crypto');

async function perform(z, bundle) {
  const { event_type: type, deduplication_key: key } = bundle.inputData;
  const payload = { ...jsonPayload(z, bundle.inputData.payload_json), ...bundle.inputData.payload };
  const response = await z.request({
    method: 'POST',
    url: '/v1/events',
    body: { type, payload },
    headers: { ...(key && { 'Idempotency-Key': idempotencyKey(key, type, payload) }) },
  });
  const { id, created_at, deliveries_summary } = response.data;
  return { id, event_type: type, created_at, deliveries: deliveries_summary.total };
}

/**
 * Zapier gives an action nothing that tells one run from the next: a replay looks like a run with the same data. So the
 * user maps what tells them apart. Type and payload are part of the key, so that two steps of a Zap may map the same
 * value, and what was corrected before a replay is published.
 */
function idempotencyKey(key, type, payload) {
  return `zapier-${createHash('sha256').update(JSON.stringify([key, type, payload])).digest('hex')}`;
}

function jsonPayload(z, text) {
  if (!text?.trim()) return {};
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new z.errors.Error(`Payload as JSON is not JSON: ${error.message}.`, 'Payload', 400);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new z.errors.Error('Payload as JSON must be a JSON object, in curly brackets.', 'Payload', 400);
  }
  return value;
}

module.exports = {
  key: 'publishEvent',
  noun: 'Event',
  display: {
    label: 'Publish Event',
    description: 'Publishes an event to every webhook and flow that is subscribed to its type.',
  },
  operation: {
    inputFields: [
      {
        key: 'event_type',
        label: 'Event Type',
        type: 'string',
        required: true,
        dynamic: 'eventTypeList.id.label',
        helpText: 'One of the list or, under Custom, one of your own: small letters, digits, dots, such as `order.paid`.',
      },
      {
        key: 'payload',
        label: 'Payload',
        dict: true,
        required: false,
        helpText: 'What the event tells: names and values. Every value is sent as text.',
      },
      {
        key: 'payload_json',
        label: 'Payload as JSON',
        type: 'text',
        required: false,
        helpText:
          'For numbers, lists and nested values: a JSON object such as `{"total": 4.5}`. What is above is added to it.',
      },
      {
        key: 'deduplication_key',
        label: 'Deduplication Key',
        type: 'string',
        required: false,
        helpText:
          'Map the ID of what started the Zap. When Zapier replays a run, Relay then recognises it for 24 hours and does ' +
          'not publish the event again. Left empty, every run and every replay publishes one.',
      },
    ],
    perform,
    outputFields: [
      { key: 'id', label: 'Event ID', type: 'string' },
      { key: 'event_type', label: 'Event Type', type: 'string' },
      { key: 'created_at', label: 'Created At', type: 'datetime' },
      { key: 'deliveries', label: 'Number of Deliveries', type: 'integer' },
    ],
    sample: {
      id: '01M4ATB2R8S6C851Q2XF3XHPV7',
      event_type: 'order.paid',
      created_at: '2026-10-07T09:15:33.000Z',
      deliveries: 2,
    },
  },
};
