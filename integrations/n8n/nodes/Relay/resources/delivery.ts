/** Follow deliveries, and send one again. */
import type { IDataObject, IExecuteFunctions } from 'n8n-workflow';

import { relay } from '../api';
import { given, wanted, type Resource } from './resource';

/** The most that Relay gives at once. */
const PAGE = 100;

export const delivery: Resource = {
	properties: [
		{
			displayName: 'Operation',
			name: 'operation',
			type: 'options',
			noDataExpression: true,
			displayOptions: { show: { resource: ['delivery'] } },
			default: 'get',
			options: [
				{ name: 'Get', value: 'get', action: 'Get a delivery', description: 'Get a delivery with each of its attempts' },
				{
					name: 'Get Many',
					value: 'getAll',
					action: 'Get many deliveries',
					description: 'Get many deliveries, the newest first',
				},
				{
					name: 'Retry',
					value: 'retry',
					action: 'Retry a delivery',
					description: 'Send a delivery again at once, whatever its status',
				},
			],
		},
		{
			displayName: 'Delivery ID',
			name: 'deliveryId',
			type: 'string',
			default: '',
			required: true,
			placeholder: '01JAB3K5XYZQRSTUVWXYZABCDE',
			displayOptions: { show: { resource: ['delivery'], operation: ['get', 'retry'] } },
		},
		{
			displayName: 'Filters',
			name: 'deliveryFilters',
			type: 'collection',
			placeholder: 'Add Filter',
			default: {},
			displayOptions: { show: { resource: ['delivery'], operation: ['getAll'] } },
			options: [
				{
					displayName: 'Event ID',
					name: 'event_id',
					type: 'string',
					default: '',
				},
				{
					displayName: 'Status',
					name: 'status',
					type: 'options',
					default: 'dead',
					options: [
						{ name: 'Dead', value: 'dead', description: 'Given up' },
						{ name: 'Pending', value: 'pending', description: 'Waits for its first or next attempt' },
						{ name: 'Success', value: 'success' },
					],
				},
				{
					displayName: 'Subscription ID',
					name: 'subscription_id',
					type: 'string',
					default: '',
					description: 'The ID of a hook, a webhook or a subscription',
				},
			],
		},
	],
	operations: {
		async get(itemIndex) {
			return await relay(this, 'GET', pathOf.call(this, itemIndex), { itemIndex });
		},

		async getAll(itemIndex) {
			const filters = given.call(this, 'deliveryFilters', itemIndex);
			const most = wanted.call(this, itemIndex);
			const found: IDataObject[] = [];
			let cursor: string | null | undefined;
			do {
				const qs = { ...filters, cursor, limit: Math.min(PAGE, most - found.length) };
				const page = await relay<{ data: IDataObject[]; next_cursor: string | null }>(this, 'GET', '/v1/deliveries', {
					qs,
					itemIndex,
				});
				found.push(...page.data);
				cursor = page.next_cursor;
			} while (cursor && found.length < most);
			return found;
		},

		async retry(itemIndex) {
			return await relay(this, 'POST', `${pathOf.call(this, itemIndex)}/retry`, { itemIndex });
		},
	},
};

function pathOf(this: IExecuteFunctions, itemIndex: number): string {
	return `/v1/deliveries/${encodeURIComponent(this.getNodeParameter('deliveryId', itemIndex) as string)}`;
}
