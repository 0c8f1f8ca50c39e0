/** Make a customer's personal link without mailing it. */

import { createAction } from '@activepieces/pieces-framework';

import { relayAuth } from '../auth';
import { request } from '../client';
import { customer } from './customer';

export const mintMagicLink = createAction({
  auth: relayAuth,
  name: 'mint_magic_link',
  displayName: 'Mint Magic Link',
  description: 'Make a personal recording link for a customer, or get the one they have, without sending mail.',
  props: customer,
  run: ({ auth, propsValue: { customer_email, customer_name, customer_phone, collector_id } }) =>
    request(auth.props, 'POST', '/v1/magic-link', {
      body: { customer_email, customer_name, customer_phone, collector_id },
    }),
});
