/** The piece: its connection, its triggers and its actions. */

import { createPiece, type Trigger } from '@activepieces/pieces-framework';

import { createInvitation } from './lib/actions/create-invitation';
import { customApiCall } from './lib/actions/custom-api-call';
import { findDelivery } from './lib/actions/find-delivery';
import { findSubmission } from './lib/actions/find-submission';
import { mintMagicLink } from './lib/actions/mint-magic-link';
import { publishEvent } from './lib/actions/publish-event';
import { retryDelivery } from './lib/actions/retry-delivery';
import { relayAuth } from './lib/auth';
import { namedTriggers } from './lib/triggers/named';
import { newEvent } from './lib/triggers/new-event';

// Inline, so that the piece needs no other server for its picture.
const LOGO =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#1f2a44"/>' +
  '<path d="M6 16h12M18 16l7-7M18 16l7 7" stroke="#7bd88f" stroke-width="3" stroke-linecap="round" fill="none"/></svg>';

export const relay = createPiece({
  displayName: 'Relay',
  description: 'Start a flow from an event, invite customers, publish events and follow deliveries.',
  logoUrl: `data:image/svg+xml,${encodeURIComponent(LOGO)}`,
  authors: [],
  auth: relayAuth,
  triggers: [newEvent, ...namedTriggers] as Trigger[],
  actions: [
    createInvitation,
    mintMagicLink,
    publishEvent,
    findSubmission,
    findDelivery,
    retryDelivery,
    customApiCall,
  ],
});
