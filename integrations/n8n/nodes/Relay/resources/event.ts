/** Publish events, to every subscriber of whatever kind. */
import { NodeOperationError, type IDataObject, type IExecuteFunctions } from 'n8n-workflow';

import { relay } from '../api';
import type { Resource } from './resource';

export const event: Resource = {
	properties: [
		{
			displayName: 'Operation',
			name: 'operation',
			type: 'options',
			noDataExpression: true,
			displayOptions: { show: { resource: ['event'] } },
			default: 'publish',
			options: [
				{
					name: 'Publish',
					value: 'publish',
					action: 'Publish an event',
					description: 'Have Relay deliver an event to everybody who subscribed to its type',
				},
			],
		},
		{
			displayName: 'Event Type',
			name: 'eventType',
			type: 'string',
			default: '',
			required: true,
			placeholder: 'order.created',
			description: 'Lower-case letters, digits, dashes and underscores, in segments parted by dots',
			displayOptions: { show: { resource: ['event'], operation: ['publish'] } },
		},
		{
			displayName: 'Payload',
			name: 'payload',
			type: 'json',
			default: '{}',
			required: true,
			description: 'A JSON object of at most 256 KB',
			displayOptions: { show: { resource: ['event'], operation: ['publish'] } },
		},
		{
			displayName: 'Idempotency Key',
			name: 'idempotencyKey',
			type: 'string',
			default: '',
			placeholder: 'order-42',
			description:
				'What makes this event different from all others, like the number of the order. For 24 hours, publishing the same event again with the same key does nothing.',
			displayOptions: { show: { resource: ['event'], operation: ['publish'] } },
		},
	],
	operations: {
		async publish(itemIndex) {
			const key = this.getNodeParameter('idempotencyKey', itemIndex) as string;
			const body = { type: this.getNodeParameter('eventType', itemIndex), payload: payloadOf.call(this, itemIndex) };
			const headers = key ? { 'Idempotency-Key': key } : {};
			return await relay(this, 'POST', '/v1/events', { body, headers, itemIndex });
		},
	},
};

/** The field gives text; an expression may give the object itself. */
function payloadOf(this: IExecuteFunctions, itemIndex: number): IDataObject {
	const value = this.getNodeParameter('payload', itemIndex) as string | IDataObject;
	if (typeof value !== 'string') return value;
	try {
		return JSON.parse(value);
	} catch (error) {
		throw new NodeOperationError(this.getNode(), `The payload is no JSON: ${(error as Error).message}`, { itemIndex });
	}
}
