import {
	NodeConnectionTypes,
	type IExecuteFunctions,
	type INodeExecutionData,
	type INodeType,
	type INodeTypeDescription,
} from 'n8n-workflow';

import { delivery } from './resources/delivery';
import { event } from './resources/event';
import { invitation, magicLink } from './resources/invitation';
import type { Resource } from './resources/resource';
import { submission } from './resources/submission';

const RESOURCES: Record<string, Resource> = { delivery, event, invitation, magicLink, submission };

export class Relay implements INodeType {
	description: INodeTypeDescription = {
		displayName: 'Relay',
		name: 'relay',
		icon: { light: 'file:../../icons/relay.svg', dark: 'file:../../icons/relay.dark.svg' },
		group: ['transform'],
		version: 1,
		subtitle: '={{ $parameter["operation"] + ": " + $parameter["resource"] }}',
		description: 'Invite customers, read submissions, publish events and follow deliveries in Relay',
		defaults: { name: 'Relay' },
		inputs: [NodeConnectionTypes.Main],
		outputs: [NodeConnectionTypes.Main],
		usableAsTool: true,
		credentials: [{ name: 'relayApi', required: true }],
		properties: [
			{
				displayName: 'Resource',
				name: 'resource',
				type: 'options',
				noDataExpression: true,
				default: 'event',
				options: [
					{ name: 'Delivery', value: 'delivery' },
					{ name: 'Event', value: 'event' },
					{ name: 'Invitation', value: 'invitation' },
					{ name: 'Magic Link', value: 'magicLink' },
					{ name: 'Submission', value: 'submission' },
				],
			},
			...Object.values(RESOURCES).flatMap(({ properties }) => properties),
			{
				displayName: 'Return All',
				name: 'returnAll',
				type: 'boolean',
				default: false,
				description: 'Whether to return all results or only up to a given limit',
				displayOptions: { show: { operation: ['getAll'] } },
			},
			{
				displayName: 'Limit',
				name: 'limit',
				type: 'number',
				typeOptions: { minValue: 1 },
				default: 50,
				description: 'Max number of results to return',
				displayOptions: { show: { operation: ['getAll'], returnAll: [false] } },
			},
		],
	};

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		const out: INodeExecutionData[] = [];
		for (const item of this.getInputData().keys()) {
			const resource = this.getNodeParameter('resource', item) as string;
			const operation = this.getNodeParameter('operation', item) as string;
			const asked = RESOURCES[resource].operations[operation].call(this, item);
			const answer = this.continueOnFail() ? await asked.catch(({ message }) => ({ error: message })) : await asked;
			const data = this.helpers.returnJsonArray(answer);
			out.push(...this.helpers.constructExecutionMetaData(data, { itemData: { item } }));
		}
		return [out];
	}
}
