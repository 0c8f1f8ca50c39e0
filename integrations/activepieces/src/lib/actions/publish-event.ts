/** Publish an event to everything that is subscribed to its type. */

import { createAction, Property } from '@activepieces/pieces-framework';

import { relayAuth } from '../auth';
import { request } from '../client';

export const publishEvent = createAction({
  auth: relayAuth,
  name: 'publish_event',
  displayName: 'Publish Event',
  description: 'Publish an event; Relay delivers it to everything that is subscribed to its type.',
  props: {
    event_type: Property.ShortText({
      displayName: 'Event Type',
      description: 'Lower-case words parted by dots, such as order.created',
      required: true,
    }),
    payload: Property.Json({
      displayName: 'Payload',
      description: 'A JSON object of at most 256 KB.',
      required: true,
      defaultValue: {},
    }),
    idempotency_key: Property.ShortText({
      displayName: 'Idempotency Key',
      description: 'Within 24 hours the same key publishes once, so that a step that is tried again does no harm.',
      required: false,
    }),
  },
  run: ({ auth, propsValue: { event_type, payload, idempotency_key } }) =>
    request(auth.props, 'POST', '/v1/events', {
      body: { type: event_type, payload },
      headers: idempotency_key ? { 'idempotency-key': idempotency_key } : {},
    }),
});
