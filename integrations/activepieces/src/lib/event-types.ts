/** What the catalogue says about event types, and the forms and labels that follow from it. */

import { Property, type InputPropertyMap, type OutputSchema } from '@activepieces/pieces-framework';

import catalogue from '../event_types.json';

export interface Input {
  key: string;
  label: string;
  type: string;
  required: boolean;
  help?: string;
  choices?: { value: string; label: string }[];
}

export interface EventType {
  id: string;
  label: string;
  description: string;
  inputs: Input[];
  fields: { key: string; label: string; type: string; help?: string }[];
  sample: unknown;
}

/** Those of the catalogue this piece was built from; a server may have more. */
export const EVENT_TYPES: EventType[] = catalogue;

const FORMATS = { datetime: 'datetime', number: 'number', integer: 'number', boolean: 'boolean' } as const;

/** The form for what subscribing to an event type asks for. */
export function formOf(inputs: Input[]): InputPropertyMap {
  return Object.fromEntries(inputs.map((input) => [input.key, propertyOf(input)]));
}

function propertyOf({ label, help, required, type, choices }: Input): InputPropertyMap[string] {
  const base = { displayName: label, description: help, required };
  if (choices !== undefined) {
    return Property.StaticDropdown({ ...base, options: { options: choices } });
  }
  return type === 'integer' || type === 'number' ? Property.Number(base) : Property.ShortText(base);
}

/** How the builder labels the fields of an event. */
export function outputSchemaOf({ fields }: EventType): OutputSchema {
  return {
    fields: fields.map(({ key, label, type, help }) => ({
      key,
      label,
      description: help,
      format: FORMATS[type as keyof typeof FORMATS],
    })),
  };
}
