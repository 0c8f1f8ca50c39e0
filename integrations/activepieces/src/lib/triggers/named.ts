/** A trigger of its own for each event type of the catalogue. */

import { createTrigger, TriggerStrategy } from '@activepieces/pieces-framework';

import { relayAuth } from '../auth';
import { EVENT_TYPES, formOf, outputSchemaOf, type EventType, type Input } from '../event-types';
import { receive, recent, subscribe, unsubscribe, type Inputs } from '../hook';

export const namedTriggers = EVENT_TYPES.map(triggerOf);

function triggerOf(eventType: EventType) {
  const { id, label, description, inputs, sample } = eventType;
  return createTrigger({
    auth: relayAuth,
    name: id.replaceAll('.', '_'),
    displayName: label,
    description,
    type: TriggerStrategy.WEBHOOK,
    props: formOf(inputs),
    outputSchema: outputSchemaOf(eventType),
    sampleData: sample,
    onEnable: (context) => subscribe(context, id, chosen(context.propsValue, inputs)),
    onDisable: unsubscribe,
    run: receive,
    test: (context) => recent(context, id, chosen(context.propsValue, inputs)),
  });
}

/** The platform puts the connection among the values of the form; only what the form asked for is sent. */
function chosen(values: Inputs, inputs: Input[]): Inputs {
  return Object.fromEntries(inputs.map(({ key }) => [key, values[key]]));
}
