/** Who is invited: the form that the two actions for personal links share. */

import { Property } from '@activepieces/pieces-framework';

export const customer = {
  customer_email: Property.ShortText({
    displayName: 'Customer Email',
    description: 'The same address always gets the same link.',
    required: true,
  }),
  customer_name: Property.ShortText({ displayName: 'Customer Name', required: false }),
  customer_phone: Property.ShortText({
    displayName: 'Customer Phone',
    description: 'Ten digits of North America, with or without punctuation.',
    required: false,
  }),
  collector_id: Property.ShortText({
    displayName: 'Collector ID',
    description: 'The campaign; the primary one when left empty.',
    required: false,
  }),
};
