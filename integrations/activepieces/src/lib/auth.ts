/** The connection: where a Relay is, and a key to it. */

import { PieceAuth, Property } from '@activepieces/pieces-framework';

import { request, RelayError, type Connection } from './client';

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
      await check(auth);
      return { valid: true };
    } catch (error) {
      return { valid: false, error: (error as Error).message };
    }
  },
});

/** Throws when this is no Relay, or the key is none of its keys. Which scopes it needs depends on what a flow uses. */
async function check(connection: Connection): Promise<void> {
  try {
    const key = await request<{ workspace?: string } | null>(connection, 'GET', '/api/v1/key');
    if (!key?.workspace) {
      throw new RelayError('what answers there is not a Relay; check the Relay URL');
    }
  } catch (error) {
    if (!(error instanceof RelayError && error.status === 404)) {
      throw error;
    }
    // A Relay from before it told whose a key is.
    await request(connection, 'GET', '/api/v1/event-types');
  }
}

/** What the platform hands to triggers, actions and drop-downs once a connection is chosen. */
export interface Auth {
  props: Connection;
}
