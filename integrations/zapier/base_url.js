'use strict';

// The address of a Relay as a person types it: read, checked, and brought into one form.

const { BlockList, isIP } = require('node:net');

const PRIVATE = new BlockList();
PRIVATE.addSubnet('10.0.0.0', 8, 'ipv4');
PRIVATE.addSubnet('127.0.0.0', 8, 'ipv4');
PRIVATE.addSubnet('172.16.0.0', 12, 'ipv4');
PRIVATE.addSubnet('192.168.0.0', 16, 'ipv4');
PRIVATE.addAddress('::1', 'ipv6');
PRIVATE.addSubnet('fc00::', 7, 'ipv6');
PRIVATE.addSubnet('fe80::', 10, 'ipv6');
const PRIVATE_NAME = /(^|\.)(localhost|local|internal)$/;

/** `https://host[:port][/path]` without a slash at its end; throws one of Zapier's errors that says what to fix. */
function parseBaseUrl(z, text) {
  const refuse = (what) => {
    throw new z.errors.Error(what, 'BaseUrl', 400);
  };
  const given = String(text ?? '').trim();
  if (!given) refuse('The Base URL is empty: enter the address of your Relay, such as https://relay.example.com.');
  const url = URL.canParse(given) ? new URL(given) : null;
  if (url?.protocol !== 'https:' && url?.protocol !== 'http:') {
    refuse('The Base URL must be a whole address that begins with https://, such as https://relay.example.com.');
  }
  if (url.username || url.password) {
    refuse('The Base URL must not hold a user name or a password: the API key has a field of its own.');
  }
  if (url.search || url.hash) refuse('The Base URL must not have a part after ? or #: enter the address alone.');
  if (url.protocol === 'http:' && !isPrivate(url.hostname)) {
    refuse(
      'The Base URL must begin with https://, or your API key would cross the internet unprotected. ' +
        `Plain http:// is for private networks, and ${url.hostname} is not in one.`,
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
