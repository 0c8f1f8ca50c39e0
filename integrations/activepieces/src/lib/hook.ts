/** The life of a hook: what all triggers do when a flow is turned on and off, tested, and called. */

import type { Store } from '@activepieces/pieces-framework';
import type { TriggerPayload } from '@activepieces/shared';

import type { Auth } from './auth';
import { request, RelayError } from './client';
import { isSigned } from './signature';

interface Hook {
  id: string;
  secret: string;
}

/** The part of the platform's context that is needed here. */
interface Flow {
  auth: Auth;
  store: Store;
  webhookUrl: string;
  flows: { current: { id: string } };
}

/** The values of an event type's inputs. */
export type Inputs = Record<string, unknown>;

const STORED = 'hook';

/** Subscribe the flow's URL. A hook that an earlier start left behind is removed first. */
export async function subscribe(flow: Flow, eventType: string, inputs: Inputs): Promise<void> {
  await unsubscribe(flow);
  const { id, secret } = await request<Hook>(flow.auth.props, 'POST', '/api/v1/hooks', {
    body: {
      ...inputs,
      target_url: flow.webhookUrl,
      event_type: eventType,
      source: 'activepieces',
      external_ref: flow.flows.current.id,
    },
  });
  await flow.store.put<Hook>(STORED, { id, secret });
}

/** Remove the flow's hook; nothing happens when there is none. */
export async function unsubscribe(flow: Flow): Promise<void> {
  const hook = await flow.store.get<Hook>(STORED);
  if (hook === null) {
    return;
  }
  try {
    await request(flow.auth.props, 'DELETE', `/api/v1/hooks/${encodeURIComponent(hook.id)}`);
  } catch (error) {
    // A hook that is gone is what was wanted, and the hooks of a revoked key get nothing: neither may keep a flow on.
    if (!(error instanceof RelayError) || (error.status !== 404 && error.status !== 401)) {
      throw error;
    }
  }
  await flow.store.delete(STORED);
}

/** The event in a request to the flow's URL, or nothing when the request is not from the hook. */
export async function receive(flow: Flow & { payload: TriggerPayload }): Promise<unknown[]> {
  const hook = await flow.store.get<Hook>(STORED);
  const { rawBody, headers } = flow.payload;
  if (hook === null || !(typeof rawBody === 'string' || Buffer.isBuffer(rawBody))) {
    return [];
  }
  return isSigned(hook.secret, rawBody, headers['x-radar-signature']) ? [JSON.parse(rawBody.toString())] : [];
}

/** The newest events that such a hook would have got, or a made-up one when there are none. */
export async function recent(flow: { auth: Auth }, eventType: string, inputs: Inputs): Promise<unknown[]> {
  return request(flow.auth.props, 'GET', '/api/v1/events', { query: { ...inputs, event_type: eventType, limit: 3 } });
}
