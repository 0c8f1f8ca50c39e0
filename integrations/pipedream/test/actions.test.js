/** Each action against a real Relay. */

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";

import createInvitation from "../actions/create-invitation/create-invitation.mjs";
import findDelivery from "../actions/find-delivery/find-delivery.mjs";
import findSubmission from "../actions/find-submission/find-submission.mjs";
import mintMagicLink from "../actions/mint-magic-link/mint-magic-link.mjs";
import publishEvent from "../actions/publish-event/publish-event.mjs";
import retryDelivery from "../actions/retry-delivery/retry-delivery.mjs";
import source from "../sources/new-event-instant/new-event-instant.mjs";
import { act, Deployed } from "./platform.js";

const newCustomer = () => `dana-${randomUUID()}@example.com`;

test("an invitation is made once, and a magic link is the same link", async () => {
  const customerEmail = newCustomer();
  const made = await act(createInvitation, { customerEmail, customerName: "Dana Whitlock", sendEmail: false });
  assert.equal(made.summary, "Invited the customer");
  assert.equal(made.answer.submission.customer_name, "Dana Whitlock");
  const minted = await act(mintMagicLink, { customerEmail });
  assert.equal(minted.summary, "This customer had a link already");
  assert.equal(minted.answer.link, made.answer.link);
});

test("a submission is found by its ID, by whose it is, and by its status", async () => {
  const customerEmail = `dana+${newCustomer()}`;
  const { submission } = (await act(mintMagicLink, { customerEmail })).answer;
  await act(mintMagicLink, { customerEmail: newCustomer() });
  const find = async (props) => (await act(findSubmission, props)).answer;

  const found = { found: true, submission, clips: [] };
  assert.deepEqual(await find({ submissionId: submission.id }), found);
  assert.deepEqual(await find({ customerEmail: ` ${customerEmail.toUpperCase()}` }), found);
  assert.deepEqual(await find({ customerEmail, status: "in_progress" }), found);

  const none = { found: false, submission: null, clips: [] };
  assert.deepEqual(await find({ customerEmail, status: "paid" }), none);
  assert.deepEqual(await find({ customerEmail: newCustomer() }), none);
  assert.equal((await find({ customerEmail: " ", status: "in_progress" })).found, true);
  assert.deepEqual(await find({ submissionId: "sub_none" }), none);
});

test("an event is published once for one idempotency key", async () => {
  const order = { eventType: "order.created", payload: { total: 4.5 }, idempotencyKey: randomUUID() };
  const { answer, summary } = await act(publishEvent, order);
  assert.deepEqual(answer.payload, { total: 4.5 });
  assert.equal(summary, "Published order.created to 0 receivers");
  assert.equal((await act(publishEvent, { ...order, payload: '{"total": 4.5}' })).answer.id, answer.id);
  assert.notEqual((await act(publishEvent, { ...order, idempotencyKey: undefined })).answer.id, answer.id);
  await assert.rejects(act(publishEvent, { ...order, payload: "{total" }), /Payload must be a JSON object/);
});

test("a delivery is found, and sent again", async (t) => {
  const deployed = await Deployed.start(t, source, { eventType: "clip.uploaded" });
  await deployed.hook("activate");
  const event = (await act(publishEvent, { eventType: "clip.uploaded", payload: {} })).answer;
  const first = await deployed.called();
  const find = async (props) => (await act(findDelivery, props)).answer;

  const delivered = await until(() => find({ eventId: event.id, status: "success" }));
  assert.equal(delivered.delivery.event_id, event.id);
  assert.equal(delivered.delivery.attempts.length, 1);
  assert.deepEqual(await find({ deliveryId: delivered.delivery.id }), delivered);
  const none = { found: false, delivery: null };
  assert.deepEqual(await find({ eventId: event.id, status: "dead" }), none);
  assert.deepEqual(await find({ deliveryId: "none" }), none);

  const retried = await act(retryDelivery, { deliveryId: delivered.delivery.id });
  assert.equal(retried.summary, `Sending delivery ${delivered.delivery.id} again`);
  assert.equal((await deployed.called()).bodyRaw, first.bodyRaw);
  assert.equal(deployed.emitted.length, 1);
});

test("what is wrong is said without the key", async () => {
  const apiKey = `rp_live_${"z".repeat(32)}`;
  const customerEmail = newCustomer();
  for (const wrong of [apiKey, `${apiKey} ${apiKey}`, `${apiKey}ü`, undefined]) {
    await assert.rejects(act(mintMagicLink, { customerEmail, apiKey: wrong }), (error) => {
      assert.match(error.message, /Relay answered 401: .*invalid|API Key must be a key/);
      return !`${error.stack}${JSON.stringify(error)}`.includes(apiKey);
    });
  }
  for (const relayUrl of ["relay.example.com", "https://me:secret@relay.example.com", undefined]) {
    await assert.rejects(act(mintMagicLink, { customerEmail, relayUrl }), {
      message: "Relay URL must be an address such as https://relay.example.com",
    });
  }
  await assert.rejects(act(mintMagicLink, { customerEmail: "nobody" }), /Relay answered 400: .*customer_email/);
  await assert.rejects(act(findSubmission, { customerEmail: "nobody" }), /Relay answered 400: .*customer_email/);
  await assert.rejects(act(retryDelivery, { deliveryId: "none" }), /Relay answered 404: /);
});

async function until(find) {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const answer = await find();
    if (answer.found) {
      return answer;
    }
    assert.ok(Date.now() < deadline, "nothing was found in time");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
