/** Invite a customer to record a testimonial. */

import { createAction, Property } from '@activepieces/pieces-framework';

import { relayAuth } from '../auth';
import { request } from '../client';
import { customer } from './customer';

export const createInvitation = createAction({
  auth: relayAuth,
  name: 'create_invitation',
  displayName: 'Create Invitation',
  description: 'Make a personal recording link for a customer, or get the one they have, and mail it to them.',
  props: {
    ...customer,
    send_email: Property.Checkbox({
      displayName: 'Send Email',
      description: 'Mail the link, if Relay has a mail server.',
      required: false,
      defaultValue: true,
    }),
  },
  run: ({ auth, propsValue: { customer_email, customer_name, customer_phone, collector_id, send_email } }) =>
    request(auth.props, 'POST', '/v1/invitations', {
      body: { customer_email, customer_name, customer_phone, collector_id, send_email },
    }),
});
