/** One trigger for every event type that the server knows, those of its operator included. */

import { createTrigger, Property, TriggerStrategy } from '@activepieces/pieces-framework';

import { relayAuth } from '../auth';
import { request } from '../client';
import { EVENT_TYPES, formOf, type EventType } from '../event-types';
import { receive, recent, subscribe, unsubscribe } from '../hook';

export const newEvent = createTrigger({
  auth: relayAuth,
  name: 'new_event',
  displayName: 'New Event',
  description: 'Triggers when an event of the type you choose happens.',
  type: TriggerStrategy.WEBHOOK,
  props: {
    event_type: Property.Dropdown<string, true, typeof relayAuth>({
      auth: relayAuth,
      displayName: 'Event Type',
      required: true,
      refreshers: [],
      options: async ({ auth }) => {
        if (auth === undefined) {
          return { disabled: true, placeholder: 'Choose a connection first', options: [] };
        }
        const types = await request<EventType[]>(auth.props, 'GET', '/api/v1/event-types');
        return { options: types.map(({ id, label }) => ({ value: id, label })) };
      },
    }),
    inputs: Property.DynamicProperties<false, typeof relayAuth>({
      auth: relayAuth,
      displayName: 'Which Events',
      required: false,
      refreshers: ['event_type'],
      props: async ({ auth, event_type }) => {
        if (auth === undefined || typeof event_type !== 'string') {
          return {};
        }
        const path = `/api/v1/event-types/${encodeURIComponent(event_type)}`;
        return formOf((await request<EventType>(auth.props, 'GET', path)).inputs);
      },
    }),
  },
  sampleData: EVENT_TYPES[0]?.sample,
  onEnable: (context) => subscribe(context, context.propsValue.event_type, context.propsValue.inputs ?? {}),
  onDisable: unsubscribe,
  run: receive,
  test: (context) => recent(context, context.propsValue.event_type, context.propsValue.inputs ?? {}),
});
