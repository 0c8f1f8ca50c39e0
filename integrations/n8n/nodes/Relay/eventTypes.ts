/** What the trigger's panel asks for: all of it comes from the catalogue, so a new event type needs no code. */
import type { IDataObject, IHookFunctions, INodeProperties } from 'n8n-workflow';

import generated from './event_types.json';

interface Input {
	key: string;
	label: string;
	type: string;
	required: boolean;
	help?: string;
	choices?: Array<{ value: string; label: string }>;
}

export interface EventType {
	id: string;
	label: string;
	description: string;
	inputs?: Input[];
}

/** The event types that Relay brings along; a server may have more, which ask for nothing else. */
export const KNOWN: EventType[] = generated;

/** For each event type what it needs, and a collection of what it can take besides. */
export const INPUTS: INodeProperties[] = KNOWN.flatMap(({ id, inputs = [] }) => {
	const displayOptions = { show: { eventType: [id] } };
	const optional = inputs.filter((input) => !input.required).map(property);
	const filters: INodeProperties = {
		displayName: 'Filters',
		name: 'filters',
		type: 'collection',
		placeholder: 'Add Filter',
		default: {},
		options: optional,
	};
	const asked = [...inputs.filter((input) => input.required).map(property), ...(optional.length ? [filters] : [])];
	return asked.map((one) => ({ ...one, displayOptions }));
});

/** What the user gave for an event type, as the subscribe request wants it. */
export function inputsOf(this: IHookFunctions, eventType: string): IDataObject {
	const filters = this.getNodeParameter('filters', {}) as IDataObject;
	const given: IDataObject = {};
	for (const { key, required } of KNOWN.find(({ id }) => id === eventType)?.inputs ?? []) {
		const value = required ? this.getNodeParameter(key, '', { extractValue: true }) : filters[key];
		if (value !== undefined && value !== '') given[key] = value as string | number;
	}
	return given;
}

function property({ key, label, type, required, help, choices }: Input): INodeProperties {
	const common = { displayName: label, name: key, required, description: help };
	if (choices) {
		const options = choices.map(({ value, label: name }) => ({ name, value }));
		return { ...common, type: 'options', options, default: options[0].value };
	}
	if (key === 'app_id') {
		return {
			...common,
			type: 'resourceLocator',
			default: { mode: 'id', value: '' },
			modes: [
				{ displayName: 'By ID', name: 'id', type: 'string', placeholder: '284882215', hint: help },
				{ displayName: 'From List', name: 'list', type: 'list', typeOptions: { searchListMethod: 'searchApps' } },
			],
		};
	}
	return type === 'string' ? { ...common, type: 'string', default: '' } : { ...common, type: 'number', default: 0 };
}
