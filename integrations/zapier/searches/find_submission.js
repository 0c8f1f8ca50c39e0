'use strict';

// One submission, by its id or by the customer's address.

const { flatSubmission, isoTime, submissionFields, submissionSample } = require('../submissions');

async function perform(z, bundle) {
  const given = bundle.inputData.submission_id?.trim();
  const email = bundle.inputData.customer_email?.trim();
  if (!given && !email) {
    throw new z.errors.Error('Enter a Submission ID or a Customer Email to search for.', 'Search', 400);
  }
  const id = email ? await idOfCustomer(z, email) : given;
  if (!id || (given && given !== id)) return [];
  const response = await z.request({
    url: `/v1/submissions/${encodeURIComponent(id)}`,
    middlewareData: { fine: [404] },
  });
  if (response.status === 404) return [];
  const { submission, clips } = response.data;
  return [
    {
      ...flatSubmission(submission),
      clip_count: clips.length,
      clips: clips.map((clip) => ({ ...clip, created_at: isoTime(clip.created_at) })),
    },
  ];
}

/** Undefined if nobody has that address. */
async function idOfCustomer(z, email) {
  const response = await z.request({ url: '/v1/submissions', params: { customer_email: email, limit: 1 } });
  return response.data.submissions[0]?.id;
}

module.exports = {
  key: 'findSubmission',
  noun: 'Submission',
  display: {
    label: 'Find Submission',
    description: 'Finds the submission of a customer, with its clips.',
  },
  operation: {
    inputFields: [
      {
        key: 'customer_email',
        label: 'Customer Email',
        type: 'string',
        required: false,
        helpText: 'The address the customer was invited with. Fill in this or the next field.',
      },
      {
        key: 'submission_id',
        label: 'Submission ID',
        type: 'string',
        required: false,
        helpText: 'Such as `sub_qgq5shqxpcdvlnan`; events about submissions have it.',
      },
    ],
    perform,
    outputFields: [
      ...submissionFields,
      { key: 'clip_count', label: 'Number of Clips', type: 'integer' },
      { key: 'clips[]id', label: 'Clip ID', type: 'string' },
      { key: 'clips[]script_key', label: 'Clip Script Key', type: 'string' },
      { key: 'clips[]status', label: 'Clip Status', type: 'string' },
      { key: 'clips[]duration_seconds', label: 'Clip Duration in Seconds', type: 'number' },
      { key: 'clips[]transcript', label: 'Clip Transcript', type: 'string' },
      { key: 'clips[]stream_video_uid', label: 'Clip Stream Video UID', type: 'string' },
      { key: 'clips[]used_in_marketing', label: 'Clip Used in Marketing', type: 'boolean' },
      { key: 'clips[]created_at', label: 'Clip Created At', type: 'datetime' },
    ],
    sample: {
      ...submissionSample,
      clip_count: 1,
      clips: [
        {
          id: 'clip_3nhuk2y3vu6f72t2',
          script_key: 'biggest_result',
          status: 'pending',
          duration_seconds: 41.2,
          transcript: null,
          stream_video_uid: null,
          used_in_marketing: false,
          created_at: '2026-10-06T18:12:08.000Z',
        },
      ],
    },
  },
};
