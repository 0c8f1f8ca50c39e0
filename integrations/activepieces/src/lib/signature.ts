/** The proof that a request was sent by the Relay that holds the hook's secret. */

import { createHmac, timingSafeEqual } from 'node:crypto';

/** Whether `x-radar-signature` is the one of these very bytes. */
export function isSigned(secret: string, body: string | Buffer, signature: string | undefined): boolean {
  const expected = Buffer.from(`sha256=${createHmac('sha256', secret).update(body).digest('hex')}`);
  const given = Buffer.from(signature ?? '');
  return given.length === expected.length && timingSafeEqual(given, expected);
}
