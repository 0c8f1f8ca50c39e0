'use strict';

// What Relay refuses, in words for whoever reads the Zap's history. Nothing that was sent is ever quoted here, so that
// the key cannot be.

const DEFAULT_WAIT_S = 60;

/** Lets through what went well and the statuses in `middlewareData.fine`; throws Zapier's errors for the rest. */
function refusals(response, z) {
  const { status } = response;
  if (status < 300) return response;
  if (response.request.middlewareData?.fine?.includes(status)) {
    response.skipThrowForStatus = true;
    return response;
  }
  const said = textOf(response.data);
  const waitS = Number.parseInt(response.getHeader('retry-after'), 10);
  if (status === 429 || (status === 503 && waitS >= 0)) {
    // Zapier runs the step again after so many seconds.
    throw new z.errors.ThrottledError(
      `Relay asks to wait (${said ?? status}).`,
      Number.isNaN(waitS) ? DEFAULT_WAIT_S : waitS,
    );
  }
  throw new z.errors.Error(explained(response, said), `Relay${status}`, status);
}

function explained(response, said) {
  const { status } = response;
  const { host } = new URL(response.request.url);
  if (status < 400) {
    const to = URL.canParse(response.getHeader('location')) ? new URL(response.getHeader('location')).origin : null;
    return (
      `${host} answers with a redirect${to ? ` to ${to}` : ''}. ` +
      'Edit the connection and enter the address that Relay really has as its Base URL.'
    );
  }
  if (said === null) {
    return (
      `${host} answered ${status}, but not as Relay does. Check that the Base URL of the connection is right ` +
      'and that Relay is running there.'
    );
  }
  if (status === 401) {
    return (
      `Relay at ${host} does not accept the API key (${said}). Look for it on the server with \`relay keys list\`; ` +
      'if it is gone or revoked, make one with `relay keys create` and reconnect with it.'
    );
  }
  if (status === 403) {
    const scope = /lacks the (\S+) scope/.exec(said)?.[1];
    return scope
      ? `The API key of this connection lacks the scope “${scope}”. Make a key that has it with ` +
          '`relay keys create --scopes`, and reconnect with it.'
      : `Relay does not allow this with the API key of the connection: ${said}.`;
  }
  if (status >= 500) return `Relay at ${host} could not do this (${said}). Try again later; its log says more.`;
  return `Relay refused this: ${said}.`;
}

/** The text of an error in any of the three shapes: {error}, {error, status}, and problem details. Null for no error. */
function textOf(data) {
  if (typeof data !== 'object' || data === null) return null;
  const fields = Object.entries(data.errors ?? {}).map(([field, texts]) => `${field} ${texts.join(', ')}`);
  const text = fields.join('; ') || data.detail || data.title || data.error;
  return typeof text === 'string' ? text.replace(/\.$/, '') : null;
}

module.exports = { refusals };
