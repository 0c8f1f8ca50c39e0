'use strict';

// What every request to Relay gets on its way out. Operations name a path; address and key come from the connection.

const { parseBaseUrl } = require('./base_url');

function addressAndKey(request, z, bundle) {
  const fail = (text) => new z.errors.Error(text, 'BaseUrl', 400);
  request.url = parseBaseUrl(bundle.authData.base_url, fail) + request.url;
  request.headers.Authorization = `Bearer ${(bundle.authData.api_key ?? '').trim()}`;
  // A redirect would turn a POST into a GET and might carry the key to another host: `refusals` names it instead.
  request.redirect = 'manual';
  return request;
}

module.exports = { addressAndKey };
