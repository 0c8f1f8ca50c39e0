/** Calls to a Relay server; what goes wrong becomes a sentence that says what to fix, and never holds the key. */

export interface Connection {
  base_url: string;
  api_key: string;
}

export interface Call {
  query?: Record<string, unknown>;
  body?: unknown;
  headers?: Record<string, string>;
}

const TIMEOUT_MS = 30_000;

export class RelayError extends Error {
  override readonly name = 'RelayError';

  constructor(
    message: string,
    /** Of Relay's answer; undefined when there was none. */
    readonly status?: number,
  ) {
    super(message);
  }
}

/** The JSON that Relay answers with, undefined where the answer is empty; throws a RelayError. */
export async function request<T = unknown>(
  connection: Connection,
  method: string,
  path: string,
  call: Call = {},
): Promise<T> {
  const root = rootOf(connection.base_url);
  const { status, text } = await send(root + path + queryOf(call.query), {
    method,
    headers: {
      accept: 'application/json',
      authorization: `Bearer ${keyOf(connection.api_key)}`,
      ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...call.headers,
    },
    body: call.body === undefined ? undefined : JSON.stringify(call.body),
    // Followed, a POST could become a GET.
    redirect: 'manual',
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (status >= 300 && status < 400) {
    throw new RelayError(`${root} redirects elsewhere; enter the address it redirects to as Relay URL`, status);
  }
  const answer = parsed(text);
  if (status >= 400) {
    throw new RelayError(`Relay answered ${status}: ${reason(answer)}`, status);
  }
  if (answer === undefined && text !== '') {
    throw new RelayError(`${root} does not answer like a Relay; check the Relay URL`, status);
  }
  return answer as T;
}

async function send(url: string, init: RequestInit): Promise<{ status: number; text: string }> {
  try {
    const response = await fetch(url, init);
    return { status: response.status, text: await response.text() };
  } catch (error) {
    throw new RelayError(`Relay cannot be reached at ${new URL(url).origin} (${causeOf(error)}); check the Relay URL`);
  }
}

function rootOf(baseUrl: string): string {
  const url = URL.canParse(baseUrl.trim()) ? new URL(baseUrl.trim()) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol) || url.username !== '' || url.password !== '') {
    throw new RelayError('Relay URL must be an address such as https://relay.example.com');
  }
  return url.origin + url.pathname.replace(/\/+$/, '');
}

function keyOf(apiKey: string): string {
  const key = apiKey.trim();
  // Anything else would be refused by fetch, in an error that shows it.
  if (!/^[!-~]+$/.test(key)) {
    throw new RelayError('API Key must be a key as Relay showed it, such as rp_live_…, without blanks');
  }
  return key;
}

function queryOf(query: Record<string, unknown> = {}): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== '') {
      given.set(name, String(value));
    }
  }
  return given.size === 0 ? '' : `?${given}`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The sentence in an error of any of Relay's APIs. */
function reason(answer: unknown): string {
  const { error, detail, title } = (answer ?? {}) as Record<string, unknown>;
  return String(error ?? detail ?? title ?? 'no reason was given; check the Relay URL');
}

function causeOf(error: unknown): string {
  const { name, cause } = error as { name: string; cause?: { code?: string; message: string } };
  if (name === 'TimeoutError') {
    return `no answer within ${TIMEOUT_MS / 1000} seconds`;
  }
  return cause?.code ?? cause?.message ?? name;
}
