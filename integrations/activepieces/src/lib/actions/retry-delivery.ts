/** Send a delivery again. */

import { createAction, Property } from '@activepieces/pieces-framework';

import { relayAuth } from '../auth';
import { request } from '../client';

export const retryDelivery = createAction({
  auth: relayAuth,
  name: 'retry_delivery',
  displayName: 'Retry Delivery',
  description: 'Send a delivery again at once, whatever its status.',
  props: { delivery_id: Property.ShortText({ displayName: 'Delivery ID', required: true }) },
  run: ({ auth, propsValue: { delivery_id } }) =>
    request(auth.props, 'POST', `/v1/deliveries/${encodeURIComponent(delivery_id)}/retry`),
});
