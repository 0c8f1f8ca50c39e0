import {
	NodeApiError,
	type IDataObject,
	type IExecuteFunctions,
	type IHookFunctions,
	type IHttpRequestMethods,
	type ILoadOptionsFunctions,
	type IN8nHttpFullResponse,
} from 'n8n-workflow';

const TIMEOUT_MS = 30_000;

type Caller = IExecuteFunctions | IHookFunctions | ILoadOptionsFunctions;

interface Request {
	body?: IDataObject;
	qs?: IDataObject;
	headers?: IDataObject;
	/** A status that is no failure although it looks like one. */
	expected?: number;
	itemIndex?: number;
}

/** One request to Relay; what goes wrong is told in Relay's own words. */
export async function relay<Answer = IDataObject>(
	caller: Caller,
	method: IHttpRequestMethods,
	path: string,
	{ body, qs, headers, expected, itemIndex }: Request = {},
): Promise<Answer> {
	const { baseUrl } = await caller.getCredentials<{ baseUrl: string }>('relayApi');
	const response = (await caller.helpers.httpRequestWithAuthentication.call(caller, 'relayApi', {
		method,
		url: baseUrl.trim().replace(/\/+$/, '') + path,
		body,
		qs,
		headers,
		json: true,
		timeout: TIMEOUT_MS,
		returnFullResponse: true,
		ignoreHttpStatusErrors: true,
	})) as IN8nHttpFullResponse;

	if (response.statusCode >= 400 && response.statusCode !== expected) {
		const message = failure(response);
		throw new NodeApiError(caller.getNode(), { message }, {
			message,
			// Where n8n shows one of the two, it may be either.
			description: message,
			httpCode: String(response.statusCode),
			itemIndex,
		});
	}
	return response.body as Answer;
}

function failure({ statusCode, body }: IN8nHttpFullResponse): string {
	const { error, detail, title } = (body ?? {}) as IDataObject;
	const own = [error, detail, title].find((one) => typeof one === 'string');
	const text = own ?? `The answer is not one of Relay's (status ${statusCode}): check the Base URL of the credentials`;
	// n8n gives up on a workflow at its start when an error has this word in it, and tries again after any other.
	return statusCode === 401 ? `Authorization failed: ${text}` : text.replace(/Authorization/g, 'authorization');
}
