/** Find a customer's recording session. */

import { createAction, Property } from '@activepieces/pieces-framework';

import { relayAuth } from '../auth';
import { request, RelayError, type Connection } from '../client';

interface Submission {
  id: string;
}

interface Found {
  found: boolean;
  submission: Submission | null;
  clips: unknown[];
}

const NONE: Found = { found: false, submission: null, clips: [] };
const STATUSES = ['in_progress', 'submitted', 'approved', 'partial_approved', 'rejected', 'paid'];

export const findSubmission = createAction({
  auth: relayAuth,
  name: 'find_submission',
  displayName: 'Find Submission',
  description: 'Find a submission by its ID, or the newest that matches, with its clips.',
  props: {
    submission_id: Property.ShortText({
      displayName: 'Submission ID',
      description: 'When given, the other fields are not looked at.',
      required: false,
    }),
    customer_email: Property.ShortText({
      displayName: 'Customer Email',
      description: 'Whose; anybody when left empty.',
      required: false,
    }),
    status: Property.StaticDropdown({
      displayName: 'Status',
      description: 'Any when left empty.',
      required: false,
      options: { options: STATUSES.map((value) => ({ value, label: value.replaceAll('_', ' ') })) },
    }),
  },
  run: async ({ auth, propsValue: { submission_id, customer_email, status } }): Promise<Found> => {
    const id = submission_id || (await newest(auth.props, { customer_email, status }))?.id;
    return id === undefined ? NONE : read(auth.props, id);
  },
});

async function newest(connection: Connection, filter: Record<string, unknown>): Promise<Submission | undefined> {
  const query = { ...filter, limit: 1 };
  const page = await request<{ submissions: Submission[] }>(connection, 'GET', '/v1/submissions', { query });
  return page.submissions[0];
}

async function read(connection: Connection, id: string): Promise<Found> {
  try {
    const path = `/v1/submissions/${encodeURIComponent(id)}`;
    const { submission, clips } = await request<Found>(connection, 'GET', path);
    return { found: true, submission, clips };
  } catch (error) {
    if (error instanceof RelayError && error.status === 404) {
      return NONE;
    }
    throw error;
  }
}
