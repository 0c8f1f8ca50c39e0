/** Invite customers to record a testimonial; a magic link is an invitation that is never mailed. */
import type { IDataObject, IExecuteFunctions, INodeProperties } from 'n8n-workflow';

import { relay } from '../api';
import { given, type Resource } from './resource';

const customer: INodeProperties[] = [
	{
		displayName: 'Customer Email',
		name: 'customerEmail',
		type: 'string',
		default: '',
		required: true,
		placeholder: 'dana@example.com',
		description: 'Who the customer is: the same address always gets the same link',
		displayOptions: { show: { resource: ['invitation', 'magicLink'] } },
	},
	{
		displayName: 'Additional Fields',
		name: 'customer',
		type: 'collection',
		placeholder: 'Add Field',
		default: {},
		displayOptions: { show: { resource: ['invitation', 'magicLink'] } },
		options: [
			{
				displayName: 'Collector ID',
				name: 'collector_id',
				type: 'string',
				default: '',
				description: 'The campaign; the workspace\'s primary one when left empty',
			},
			{
				displayName: 'Customer Name',
				name: 'customer_name',
				type: 'string',
				default: '',
				placeholder: 'Dana Whitlock',
			},
			{
				displayName: 'Customer Phone',
				name: 'customer_phone',
				type: 'string',
				default: '',
				description: 'Ten digits of North America',
			},
		],
	},
];

export const invitation: Resource = {
	properties: [
		{
			displayName: 'Operation',
			name: 'operation',
			type: 'options',
			noDataExpression: true,
			displayOptions: { show: { resource: ['invitation'] } },
			default: 'create',
			options: [
				{
					name: 'Create',
					value: 'create',
					action: 'Create an invitation',
					description: 'Make a personal recording link, or get the one the customer has, and mail it',
				},
			],
		},
		...customer,
		{
			displayName: 'Send Email',
			name: 'sendEmail',
			type: 'boolean',
			default: true,
			description: 'Whether Relay mails the link to the customer',
			displayOptions: { show: { resource: ['invitation'] } },
		},
	],
	operations: {
		async create(itemIndex) {
			const body = { ...customerOf.call(this, itemIndex), send_email: this.getNodeParameter('sendEmail', itemIndex) };
			return await relay(this, 'POST', '/v1/invitations', { body, itemIndex });
		},
	},
};

export const magicLink: Resource = {
	properties: [
		{
			displayName: 'Operation',
			name: 'operation',
			type: 'options',
			noDataExpression: true,
			displayOptions: { show: { resource: ['magicLink'] } },
			default: 'mint',
			options: [
				{
					name: 'Mint',
					value: 'mint',
					action: 'Mint a magic link',
					description: 'Make a personal recording link, or get the one the customer has, without mailing it',
				},
			],
		},
	],
	operations: {
		async mint(itemIndex) {
			return await relay(this, 'POST', '/v1/magic-link', { body: customerOf.call(this, itemIndex), itemIndex });
		},
	},
};

function customerOf(this: IExecuteFunctions, itemIndex: number): IDataObject {
	const fields = given.call(this, 'customer', itemIndex);
	return { customer_email: this.getNodeParameter('customerEmail', itemIndex), ...fields };
}
