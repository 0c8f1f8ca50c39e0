import {
	NodeApiError,
	NodeConnectionTypes,
	type IDataObject,
	type IHookFunctions,
	type ILoadOptionsFunctions,
	type INodeListSearchResult,
	type INodePropertyOptions,
	type INodeType,
	type INodeTypeDescription,
	type IWebhookFunctions,
	type IWebhookResponseData,
	type JsonObject,
} from 'n8n-workflow';

import { relay } from './api';
import { INPUTS, inputsOf, KNOWN, type EventType } from './eventTypes';
import { isSigned } from './signature';

/** As `GET /api/v1/hooks` has it; the secret is shown only once, in the answer to subscribing. */
interface Hook {
	id: string;
	source: string;
	target_url: string;
}

interface App {
	label: string;
	store: string;
	app_id: string;
}

/** What n8n keeps for us with the workflow. A test run has its own, so it never touches what production keeps. */
interface Kept extends IDataObject {
	id?: string;
	secret?: string;
	/** The subscribe request, to notice that the parameters or n8n's own address have changed since. */
	request?: string;
}

export class RelayTrigger implements INodeType {
	description: INodeTypeDescription = {
		displayName: 'Relay Trigger',
		name: 'relayTrigger',
		icon: { light: 'file:../../icons/relay.svg', dark: 'file:../../icons/relay.dark.svg' },
		group: ['trigger'],
		version: 1,
		subtitle: '={{ $parameter["eventType"] }}',
		description: 'Starts the workflow when an event happens in Relay',
		defaults: { name: 'Relay Trigger' },
		inputs: [],
		outputs: [NodeConnectionTypes.Main],
		credentials: [{ name: 'relayApi', required: true }],
		webhooks: [{ name: 'default', httpMethod: 'POST', responseMode: 'onReceived', path: 'webhook' }],
		properties: [
			{
				displayName: 'Event Type Name or ID',
				name: 'eventType',
				type: 'options',
				noDataExpression: true,
				typeOptions: { loadOptionsMethod: 'getEventTypes' },
				default: '',
				required: true,
				description:
					'What starts the workflow. Choose from the list, or specify an ID using an <a href="https://docs.n8n.io/code/expressions/">expression</a>.',
			},
			...INPUTS,
		],
	};

	methods = {
		loadOptions: {
			/** The server's list; the one we bring along only while no server answers, so that a draft can be made. */
			async getEventTypes(this: ILoadOptionsFunctions): Promise<INodePropertyOptions[]> {
				let eventTypes = KNOWN;
				try {
					eventTypes = await relay<EventType[]>(this, 'GET', '/api/v1/event-types');
				} catch (error) {
					const answered = error instanceof NodeApiError && Number(error.httpCode) > 0;
					if (answered) throw new NodeApiError(this.getNode(), error as unknown as JsonObject);
				}
				return eventTypes.map(({ id, label, description }) => ({ name: label, value: id, description }));
			},
		},
		listSearch: {
			/** The apps of the chosen store that some hook is for already. */
			async searchApps(this: ILoadOptionsFunctions, filter = ''): Promise<INodeListSearchResult> {
				const apps = await relay<App[]>(this, 'GET', '/api/v1/apps');
				const store = this.getCurrentNodeParameter('store');
				const found = apps.filter((app) => app.store === store && app.label.includes(filter));
				const byId = new Map(found.map((app) => [app.app_id, { name: app.label, value: app.app_id }]));
				return { results: [...byId.values()] };
			},
		},
	};

	webhookMethods = {
		default: {
			async checkExists(this: IHookFunctions): Promise<boolean> {
				const { id, request } = this.getWorkflowStaticData('node') as Kept;
				const url = this.getNodeWebhookUrl('default');
				const unchanged = request === JSON.stringify(subscribeRequest.call(this));
				const hooks = await relay<Hook[]>(this, 'GET', '/api/v1/hooks');
				const isOurs = (hook: Hook) => hook.id === id && unchanged;
				// One that n8n lost track of would go on posting to this address, with a secret that nobody knows.
				const stale = hooks.filter(
					(hook) => !isOurs(hook) && (hook.id === id || (hook.source === 'n8n' && hook.target_url === url)),
				);
				for (const hook of stale) await unsubscribe.call(this, hook.id);
				return hooks.some(isOurs);
			},

			async create(this: IHookFunctions): Promise<boolean> {
				const body = subscribeRequest.call(this);
				const { id, secret } = await relay(this, 'POST', '/api/v1/hooks', { body });
				Object.assign(this.getWorkflowStaticData('node'), { id, secret, request: JSON.stringify(body) });
				return true;
			},

			async delete(this: IHookFunctions): Promise<boolean> {
				const kept = this.getWorkflowStaticData('node') as Kept;
				if (kept.id) await unsubscribe.call(this, kept.id);
				delete kept.id;
				delete kept.secret;
				delete kept.request;
				return true;
			},
		},
	};

	async webhook(this: IWebhookFunctions): Promise<IWebhookResponseData> {
		const { secret } = this.getWorkflowStaticData('node') as Kept;
		if (!isSigned(this.getRequestObject().rawBody, this.getHeaderData()['x-radar-signature'], secret)) {
			this.getResponseObject().status(401).json({ error: 'x-radar-signature does not match the body' });
			return { noWebhookResponse: true };
		}
		return { workflowData: [this.helpers.returnJsonArray(this.getBodyData())] };
	}
}

function subscribeRequest(this: IHookFunctions): IDataObject {
	const eventType = this.getNodeParameter('eventType') as string;
	return {
		target_url: this.getNodeWebhookUrl('default'),
		event_type: eventType,
		source: 'n8n',
		external_ref: `workflow:${this.getWorkflow().id}`,
		...inputsOf.call(this, eventType),
	};
}

async function unsubscribe(this: IHookFunctions, id: string): Promise<void> {
	// A 404 means that it is gone already, which is what we want.
	await relay(this, 'DELETE', `/api/v1/hooks/${encodeURIComponent(id)}`, { expected: 404 });
}
