'use strict';

// How a person connects: the address of their Relay and a key. The label says whose it is, and never shows the key.

const { parseBaseUrl } = require('./base_url');

async function test(z, bundle) {
  const { host } = new URL(parseBaseUrl(z, bundle.authData.base_url));
  // Any live key may ask these, whatever its scopes.
  const { status, data } = await ask(z, host, { url: '/api/v1/key', middlewareData: { fine: [404] } });
  if (status === 404) {
    // A Relay from before it told whose a key is.
    const { data: eventTypes } = await ask(z, host, { url: '/api/v1/event-types' });
    if (Array.isArray(eventTypes)) return { host };
  } else if (data?.workspace) {
    return { host, workspace: data.workspace, scopes: data.scopes };
  }
  throw new z.errors.Error(
    `${host} answers, but it is not Relay. Enter the address under which Relay’s own pages open.`,
    'BaseUrl',
    400,
  );
}

async function ask(z, host, request) {
  try {
    return await z.request(request);
  } catch (error) {
    if (error.name !== 'FetchError') throw error;
    throw new z.errors.Error(
      `Nothing answers at ${host} (${error.code ?? error.type}). Check the Base URL, and that Relay is running ` +
        'and can be reached from the internet, where Zapier is.',
      'BaseUrl',
      400,
    );
  }
}

/** Whose key leads where. No trigger works without the scope `hooks`, and here is where that is seen first. */
function connectionLabel(z, bundle) {
  const { host, workspace, scopes } = bundle.inputData;
  if (!workspace) return host;
  return `${workspace} on ${host}${scopes.includes('hooks') ? '' : ' (this key lacks the hooks scope)'}`;
}

module.exports = {
  type: 'custom',
  fields: [
    {
      key: 'base_url',
      label: 'Base URL',
      type: 'string',
      required: true,
      isNoSecret: true,
      placeholder: 'https://relay.example.com',
      helpText:
        'The address of your Relay, as in your browser: `https://relay.example.com`. Zapier has to be able to reach it.',
    },
    {
      key: 'api_key',
      label: 'API Key',
      type: 'password',
      required: true,
      isNoSecret: false,
      helpText:
        'Made on the server with `relay keys create --workspace default --label Zapier --scopes ' +
        'hooks,invitations,submissions,events,deliveries`. Leave out the scopes that your Zaps do not need: triggers ' +
        'need `hooks`, the actions need the others.',
    },
  ],
  test,
  connectionLabel,
};
