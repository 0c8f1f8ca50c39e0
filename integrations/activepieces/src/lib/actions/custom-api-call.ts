/** Anything else that Relay can do. */

import { createAction, Property } from '@activepieces/pieces-framework';

import { relayAuth } from '../auth';
import { request, RelayError } from '../client';

const METHODS = ['GET', 'POST', 'PATCH', 'DELETE'];

export const customApiCall = createAction({
  auth: relayAuth,
  name: 'custom_api_call',
  displayName: 'Custom API Call',
  description: 'Call an operation of Relay that has no action of its own.',
  props: {
    method: Property.StaticDropdown<string, true>({
      displayName: 'Method',
      required: true,
      defaultValue: 'GET',
      options: { options: METHODS.map((value) => ({ value, label: value })) },
    }),
    path: Property.ShortText({
      displayName: 'Path',
      description: 'What follows the Relay URL, such as /v1/dead-letters',
      required: true,
    }),
    query: Property.Object({ displayName: 'Query Parameters', required: false }),
    body: Property.Json({ displayName: 'Body', required: false }),
  },
  run: async ({ auth, propsValue: { method, path, query, body } }) => {
    if (!path.startsWith('/')) {
      throw new RelayError('Path must start with a slash, such as /v1/dead-letters');
    }
    return request(auth.props, method, path, { query, body: method === 'GET' ? undefined : body });
  },
});
