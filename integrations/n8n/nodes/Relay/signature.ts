/** Whether a request really comes from Relay. */
import { createHmac, timingSafeEqual } from 'crypto';

/** `header` is `sha256=` and the hex HMAC-SHA256 of the body, keyed with the secret that subscribing gave. */
export function isSigned(body: Buffer | undefined, header: unknown, secret: string | undefined): boolean {
	if (!body || !secret || typeof header !== 'string') return false;
	const wanted = Buffer.from(`sha256=${createHmac('sha256', secret).update(body).digest('hex')}`);
	const given = Buffer.from(header);
	return given.length === wanted.length && timingSafeEqual(given, wanted);
}
