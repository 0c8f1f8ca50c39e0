'use strict';

// Whether a request really comes from Relay: the digest of the exact bytes, made with the secret of this very hook.

const { createHmac, timingSafeEqual } = require('node:crypto');

const HEADER = 'x-radar-signature';

/** `request` is Zapier's `bundle.rawRequest`. */
function isSigned(request, secret) {
  if (!secret || typeof request?.content !== 'string') return false;
  const wanted = Buffer.from(`sha256=${createHmac('sha256', secret).update(request.content, 'utf8').digest('hex')}`);
  const given = Buffer.from(header(request.headers ?? {}));
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

/** Zapier hands headers on as `Http-X-Radar-Signature`; a name is compared without that prefix and its case. */
function header(headers) {
  const found = Object.entries(headers).find(([name]) => name.toLowerCase().replace(/^http-/, '') === HEADER);
  return String(found?.[1] ?? '');
}

module.exports = { isSigned };
