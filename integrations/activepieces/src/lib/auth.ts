/** The connection: where a Relay is, and a key to it. */

import { PieceAuth, Property } from '@activepieces/pieces-framework';

import { request, type Connection } from './client';

export const relayAuth = PieceAuth.CustomAuth({
  displayName: 'Relay',
  description:
    'Make a key with `relay keys create --workspace default --scopes hooks,invitations,submissions,events,deliveries`.',
  required: true,
  props: {
    base_url: Property.ShortText({
      displayName: 'Relay URL',
      description: 'The address of your Relay, such as https://relay.example.com',
      required: true,
    }),
    api_key: PieceAuth.SecretText({
      displayName: 'API Key',
      description: 'Such as rp_live_…; triggers need its scope hooks, each action one more.',
      required: true,
    }),
  },
  validate: async ({ auth }) => {
    try {
      await request(auth, 'GET', '/api/v1/event-types');
      return { valid: true };
    } catch (error) {
      return { valid: false, error: (error as Error).message };
    }
  },
});

/** What the platform hands to triggers, actions and drop-downs once a connection is chosen. */
export interface Auth {
  props: Connection;
}
