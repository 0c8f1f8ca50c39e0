'use strict';

// The address of a Relay as a person types it: read, checked, and brought into one form.

const { isIP, BlockList } = require('node:net');

const PRIVATE = new BlockList();
for (const [address, bits] of [['10.0.0.0', 8], ['127.0.0.0', 8], ['172.16.0.0', 12], ['192.168.0.0', 16]]) {
  PRIVATE.addSubnet(address, bits, 'ipv4');
}
for (const [address, bits] of [['::1', 128], ['fc00::', 7], ['fe80::', 10]]) {
  PRIVATE.addSubnet(address, bits, 'ipv6');
}
const PRIVATE_NAME = /(^|\.)(localhost|local|internal)$/;

/** `https://host[:port][/path]` without a slash at its end; throws `fail(text)` with a text that says what to fix. */
function parseBaseUrl(text, fail) {
  const given = String(text ?? '').trim();
  if (!given) throw fail('The base URL is empty: enter the address of your Relay, such as https://relay.example.com.');
  const url = URL.canParse(given) ? new URL(given) : null;
  if (!url || !['https:', 'http:'].includes(url.protocol)) {
    throw fail('The base URL must be a whole address that begins with https://, such as https://relay.example.com.');
  }
  if (url.username || url.password) {
    throw fail('The base URL must not hold a user name or a password: the API key has a field of its own.');
  }
  if (url.search || url.hash) throw fail('The base URL must not have a part after ? or #: enter the address alone.');
  if (url.protocol === 'http:' && !isPrivate(url.hostname)) {
    throw fail(
      `The base URL must begin with https://, or your API key would cross the network unprotected. ` +
        `Plain http:// is for private networks only, and ${url.hostname} is not in one.`,
    );
  }
  return url.origin + url.pathname.replace(/\/+$/, '');
}

function isPrivate(hostname) {
  const host = hostname.replace(/^\[|\]$/g, '');
  const version = isIP(host);
  return version ? PRIVATE.check(host, `ipv${version}`) : PRIVATE_NAME.test(host);
}

module.exports = { parseBaseUrl };
