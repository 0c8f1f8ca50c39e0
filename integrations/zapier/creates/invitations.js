'use strict';

// The two ways to a customer's personal recording link: mailed to them, or handed to the next step of the Zap.

const { flatSubmission, submissionFields, submissionSample } = require('../submissions');

const CUSTOMER = [
  {
    key: 'customer_email',
    label: 'Customer Email',
    type: 'string',
    required: true,
    helpText: 'Who the customer is: the same address always gets the same link.',
  },
  {
    key: 'customer_name',
    label: 'Customer Name',
    type: 'string',
    required: false,
    helpText: 'Filled in if Relay does not know it yet; a name it has is kept.',
  },
  {
    key: 'customer_phone',
    label: 'Customer Phone',
    type: 'string',
    required: false,
    helpText: 'Ten digits of North America, with or without punctuation and a leading 1.',
  },
  {
    key: 'collector_id',
    label: 'Collector ID',
    type: 'string',
    required: false,
    helpText: 'The campaign, such as `col_wfs2mutiqqxcnoi4`. Left empty, the primary one of the workspace.',
  },
];

const SEND_EMAIL = {
  key: 'send_email',
  label: 'Send Email',
  type: 'boolean',
  required: false,
  default: 'true',
  helpText: 'Whether Relay mails the link to the customer. It never mails the same invitation twice.',
};

const OUTPUT = {
  outputFields: [
    ...submissionFields,
    { key: 'link', label: 'Personal Link', type: 'string' },
    { key: 'invite_token', label: 'Invite Token', type: 'string' },
    { key: 'reused', label: 'Was Invited Before', type: 'boolean' },
  ],
  sample: {
    ...submissionSample,
    link: 'https://relay.acme.example.com/r/sample-token-not-valid',
    invite_token: 'sample-token-not-valid',
    reused: false,
  },
};

const inviteAt = (path) => async (z, bundle) => {
  const response = await z.request({ method: 'POST', url: path, body: bundle.inputData });
  const { submission, link, invite_token, reused } = response.data;
  return { ...flatSubmission(submission), link, invite_token, reused };
};

const createInvitation = {
  key: 'createInvitation',
  noun: 'Invitation',
  display: {
    label: 'Create Invitation',
    description: 'Invites a customer to record a testimonial and mails them their personal link.',
  },
  operation: { inputFields: [...CUSTOMER, SEND_EMAIL], perform: inviteAt('/v1/invitations'), ...OUTPUT },
};

const mintMagicLink = {
  key: 'mintMagicLink',
  noun: 'Magic Link',
  display: {
    label: 'Mint Magic Link',
    description: 'Makes the personal link of a customer without mailing it, for a message of your own.',
  },
  operation: { inputFields: CUSTOMER, perform: inviteAt('/v1/magic-link'), ...OUTPUT },
};

module.exports = { createInvitation, mintMagicLink };
