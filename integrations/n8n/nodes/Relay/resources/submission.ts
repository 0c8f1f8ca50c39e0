/** Read what customers have recorded. */
import type { IDataObject } from 'n8n-workflow';

import { relay } from '../api';
import { given, wanted, type Resource } from './resource';

/** The most that Relay gives at once. */
const PAGE = 200;

export const submission: Resource = {
	properties: [
		{
			displayName: 'Operation',
			name: 'operation',
			type: 'options',
			noDataExpression: true,
			displayOptions: { show: { resource: ['submission'] } },
			default: 'get',
			options: [
				{ name: 'Get', value: 'get', action: 'Get a submission', description: 'Get a submission with its clips' },
				{
					name: 'Get Many',
					value: 'getAll',
					action: 'Get many submissions',
					description: 'Get many submissions, the newest first',
				},
			],
		},
		{
			displayName: 'Submission ID',
			name: 'submissionId',
			type: 'string',
			default: '',
			required: true,
			placeholder: 'sub_7k2mq5x4t3wz6abc',
			displayOptions: { show: { resource: ['submission'], operation: ['get'] } },
		},
		{
			displayName: 'Filters',
			name: 'submissionFilters',
			type: 'collection',
			placeholder: 'Add Filter',
			default: {},
			displayOptions: { show: { resource: ['submission'], operation: ['getAll'] } },
			options: [
				{
					displayName: 'Customer Email',
					name: 'customer_email',
					type: 'string',
					default: '',
					placeholder: 'dana@example.com',
				},
				{
					displayName: 'Status',
					name: 'status',
					type: 'options',
					default: 'submitted',
					options: [
						{ name: 'Approved', value: 'approved' },
						{ name: 'In Progress', value: 'in_progress' },
						{ name: 'Paid', value: 'paid' },
						{ name: 'Partly Approved', value: 'partial_approved' },
						{ name: 'Rejected', value: 'rejected' },
						{ name: 'Submitted', value: 'submitted' },
					],
				},
			],
		},
	],
	operations: {
		async get(itemIndex) {
			const id = encodeURIComponent(this.getNodeParameter('submissionId', itemIndex) as string);
			const { submission, clips } = await relay(this, 'GET', `/v1/submissions/${id}`, { itemIndex });
			return { ...(submission as IDataObject), clips };
		},

		async getAll(itemIndex) {
			const filters = given.call(this, 'submissionFilters', itemIndex);
			const most = wanted.call(this, itemIndex);
			const found: IDataObject[] = [];
			for (let full = true; full && found.length < most; ) {
				const limit = Math.min(PAGE, most - found.length);
				const qs = { ...filters, limit, offset: found.length };
				const page = await relay<{ submissions: IDataObject[] }>(this, 'GET', '/v1/submissions', { qs, itemIndex });
				found.push(...page.submissions);
				full = page.submissions.length === limit;
			}
			return found;
		},
	},
};
