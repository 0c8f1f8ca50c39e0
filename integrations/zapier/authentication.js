'use strict';

// How a person connects: the address of their Relay and a key. The label shows the host and never the key.

const { parseBaseUrl } = require('./base_url');

async function test(z, bundle) {
  const { host } = new URL(parseBaseUrl(z, bundle.authData.base_url));
  let response;
  try {
    // Any live key may ask this, whatever its scopes.
    response = await z.request({ url: '/api/v1/event-types' });
  } catch (error) {
    if (error.name !== 'FetchError') throw error;
    throw new z.errors.Error(
      `Nothing answers at ${host} (${error.code ?? error.type}). Check the Base URL, and that Relay is running ` +
        'and can be reached from the internet, where Zapier is.',
      'BaseUrl',
      400,
    );
  }
  if (!Array.isArray(response.data)) {
    throw new z.errors.Error(
      `${host} answers, but it is not Relay. Enter the address under which Relay’s own pages open.`,
      'BaseUrl',
      400,
    );
  }
  return { host, event_types: response.data.length };
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
  connectionLabel: (z, bundle) => bundle.inputData.host,
};
