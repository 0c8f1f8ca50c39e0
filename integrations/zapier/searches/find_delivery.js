'use strict';

// What became of an event: the newest delivery that fits, with its last attempt.

const FIELDS = [
  { key: 'id', label: 'Delivery ID', type: 'string' },
  { key: 'event_id', label: 'Event ID', type: 'string' },
  { key: 'event_type', label: 'Event Type', type: 'string' },
  { key: 'subscription_id', label: 'Subscription ID', type: 'string' },
  { key: 'status', label: 'Status', type: 'string' },
  { key: 'dead_reason', label: 'Reason It Was Given Up', type: 'string' },
  { key: 'attempts_made', label: 'Number of Attempts', type: 'integer' },
  { key: 'next_attempt_at', label: 'Next Attempt At', type: 'datetime' },
  { key: 'final_status_code', label: 'Last Status Code', type: 'integer' },
  { key: 'completed_at', label: 'Completed At', type: 'datetime' },
  { key: 'created_at', label: 'Created At', type: 'datetime' },
];

async function perform(z, bundle) {
  const { event_id, subscription_id, status } = bundle.inputData;
  const given = bundle.inputData.delivery_id?.trim();
  if (!given && !event_id && !subscription_id && !status) {
    throw new z.errors.Error('Enter at least one of the fields to search for.', 'Search', 400);
  }
  const id = given || (await newest(z, { event_id, subscription_id, status }));
  if (!id) return [];
  const response = await z.request({ url: `/v1/deliveries/${encodeURIComponent(id)}`, middlewareData: { fine: [404] } });
  if (response.status === 404) return [];
  const delivery = response.data;
  const last = delivery.attempts.at(-1);
  return [
    {
      ...Object.fromEntries(FIELDS.map(({ key }) => [key, delivery[key] ?? null])),
      last_attempted_at: last?.attempted_at ?? null,
      last_error_code: last?.error_code ?? null,
      last_answer: last?.response_body_snippet ?? null,
    },
  ];
}

async function newest(z, filters) {
  const response = await z.request({
    url: '/v1/deliveries',
    params: { ...filters, limit: 1 },
    removeMissingValuesFrom: { params: true },
  });
  return response.data.data[0]?.id;
}

module.exports = {
  key: 'findDelivery',
  noun: 'Delivery',
  display: {
    label: 'Find Delivery',
    description: 'Finds the newest delivery of an event or to a subscription, and what the receiver answered.',
  },
  operation: {
    inputFields: [
      {
        key: 'delivery_id',
        label: 'Delivery ID',
        type: 'string',
        required: false,
        helpText: 'The receiver got it in the header `webhook-id`. With it, the other fields are not looked at.',
      },
      {
        key: 'event_id',
        label: 'Event ID',
        type: 'string',
        required: false,
        helpText: 'Publish Event gives it.',
      },
      {
        key: 'subscription_id',
        label: 'Subscription ID',
        type: 'string',
        required: false,
        helpText: 'A webhook or a hook, such as `zapier-1a2b3c4d5e6f7a8b`.',
      },
      {
        key: 'status',
        label: 'Status',
        type: 'string',
        required: false,
        choices: [
          { value: 'pending', sample: 'pending', label: 'Waiting or being tried again' },
          { value: 'success', sample: 'success', label: 'Delivered' },
          { value: 'dead', sample: 'dead', label: 'Given up' },
        ],
        helpText: 'Only a delivery that stands there.',
      },
    ],
    perform,
    outputFields: [
      ...FIELDS,
      { key: 'last_attempted_at', label: 'Last Attempt At', type: 'datetime' },
      { key: 'last_error_code', label: 'Last Error', type: 'string' },
      { key: 'last_answer', label: 'Last Answer', type: 'string' },
    ],
    sample: {
      id: '01M4ATB2SA0V1J5D7Q9W2E4R6T',
      event_id: '01M4ATB2R8S6C851Q2XF3XHPV7',
      event_type: 'order.paid',
      subscription_id: 'zapier-1a2b3c4d5e6f7a8b',
      status: 'dead',
      dead_reason: 'exhausted',
      attempts_made: 6,
      next_attempt_at: null,
      final_status_code: 500,
      completed_at: '2026-10-07T16:28:03.000Z',
      created_at: '2026-10-07T09:15:33.000Z',
      last_attempted_at: '2026-10-07T16:28:03.000Z',
      last_error_code: null,
      last_answer: 'Internal Server Error',
    },
  },
};
