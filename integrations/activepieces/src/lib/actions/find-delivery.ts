/** Find out what became of an event at one of its receivers. */

import { createAction, Property } from '@activepieces/pieces-framework';

import { relayAuth } from '../auth';
import { request, RelayError, type Connection } from '../client';

interface Found {
  found: boolean;
  delivery: { id: string } | null;
}

const NONE: Found = { found: false, delivery: null };

export const findDelivery = createAction({
  auth: relayAuth,
  name: 'find_delivery',
  displayName: 'Find Delivery',
  description: 'Find a delivery by its ID, or the newest that matches, with its attempts.',
  props: {
    delivery_id: Property.ShortText({
      displayName: 'Delivery ID',
      description: 'When given, the other fields are not looked at.',
      required: false,
    }),
    event_id: Property.ShortText({
      displayName: 'Event ID',
      description: 'The ID that Publish Event returned; any event when left empty.',
      required: false,
    }),
    status: Property.StaticDropdown({
      displayName: 'Status',
      description: 'Any when left empty.',
      required: false,
      options: {
        options: [
          { value: 'pending', label: 'Pending: will be tried, or tried again' },
          { value: 'success', label: 'Success: the receiver took it' },
          { value: 'dead', label: 'Dead: given up' },
        ],
      },
    }),
  },
  run: async ({ auth, propsValue: { delivery_id, event_id, status } }): Promise<Found> => {
    const id = delivery_id || (await newest(auth.props, { event_id, status }))?.id;
    return id === undefined ? NONE : read(auth.props, id);
  },
});

async function newest(connection: Connection, filter: Record<string, unknown>): Promise<{ id: string } | undefined> {
  const query = { ...filter, limit: 1 };
  const page = await request<{ data: { id: string }[] }>(connection, 'GET', '/v1/deliveries', { query });
  return page.data[0];
}

async function read(connection: Connection, id: string): Promise<Found> {
  try {
    const path = `/v1/deliveries/${encodeURIComponent(id)}`;
    return { found: true, delivery: await request<{ id: string }>(connection, 'GET', path) };
  } catch (error) {
    if (error instanceof RelayError && error.status === 404) {
      return NONE;
    }
    throw error;
  }
}
