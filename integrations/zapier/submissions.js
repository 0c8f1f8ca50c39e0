'use strict';

// A submission as Zaps see it: flat, with times that Zapier understands.

const submissionFields = [
  { key: 'id', label: 'Submission ID', type: 'string' },
  { key: 'status', label: 'Status', type: 'string' },
  { key: 'customer_email', label: 'Customer Email', type: 'string' },
  { key: 'customer_name', label: 'Customer Name', type: 'string' },
  { key: 'customer_phone', label: 'Customer Phone', type: 'string' },
  { key: 'hubspot_contact_id', label: 'HubSpot Contact ID', type: 'string' },
  { key: 'created_at', label: 'Created At', type: 'datetime' },
  { key: 'submitted_at', label: 'Submitted At', type: 'datetime' },
  { key: 'approved_at', label: 'Approved At', type: 'datetime' },
];

const submissionSample = {
  id: 'sub_qgq5shqxpcdvlnan',
  status: 'in_progress',
  customer_email: 'dana.whitlock@acme.example.com',
  customer_name: 'Dana Whitlock',
  customer_phone: '5555550142',
  hubspot_contact_id: null,
  created_at: '2026-10-05T14:03:20.000Z',
  submitted_at: null,
  approved_at: null,
};

const isoTime = (unixS) => (unixS === null ? null : new Date(unixS * 1000).toISOString());

function flatSubmission(submission) {
  return {
    ...Object.fromEntries(submissionFields.map(({ key }) => [key, submission[key]])),
    created_at: isoTime(submission.created_at),
    submitted_at: isoTime(submission.submitted_at),
    approved_at: isoTime(submission.approved_at),
  };
}

module.exports = { flatSubmission, isoTime, submissionFields, submissionSample };
