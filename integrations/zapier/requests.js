'use strict';

// What every request to Relay gets on its way out. Operations name a path; address and key come from the connection.

const { parseBaseUrl } = require('./base_url');

const VISIBLE_ASCII = /^[!-~]+$/;

function addressAndKey(request, z, bundle) {
  const key = String(bundle.authData.api_key ?? '').trim();
  if (!VISIBLE_ASCII.test(key)) {
    // As a header it would be refused by an error that quotes it.
    throw new z.errors.Error(
      'The API Key is empty or has characters that no key has: copy it once more, as Relay showed it.',
      'ApiKey',
      400,
    );
  }
  request.url = parseBaseUrl(z, bundle.authData.base_url) + request.url;
  request.headers.Authorization = `Bearer ${key}`;
  // A redirect would turn a POST into a GET, and might carry the key to another host: `refusals` names it instead.
  request.redirect = 'manual';
  return request;
}

module.exports = { addressAndKey };
