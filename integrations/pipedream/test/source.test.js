/** The life of a source at a real Relay: deployed, activated, called, deactivated. */

import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { test } from "node:test";

import source from "../sources/new-event-instant/new-event-instant.mjs";
import { closedPort, connection, Deployed, KEY, NO_HOOKS_KEY, publish, RELAY_URL } from "./platform.js";

const REVIEW = { rating: 2, title: "Crashes", country: "us" };

test("the drop-down and the form come from the server", async () => {
  const options = await source.props.eventType.options.call(connection);
  assert.ok(options.some(({ value, label }) => value === "clip.approved" && label === "Clip approved"));

  const form = (eventType) => source.additionalProps.call({ ...connection, eventType });
  assert.deepEqual(await form(undefined), {});
  assert.deepEqual(await form("clip.approved"), {});
  const { store, app_id, country, min_stars } = await form("review.created");
  assert.deepEqual(store.options.map(({ value }) => value), ["apple", "google"]);
  assert.deepEqual([app_id.type, app_id.optional, app_id.label], ["string", false, "App"]);
  assert.equal(country.optional, true);
  assert.equal(min_stars.type, "integer");
  assert.equal((await form("rating.dropped")).threshold.type, "string");
});

test("a key that cannot subscribe is told so while the source is set up", async (t) => {
  const options = (props) => source.props.eventType.options.call({ ...connection, ...props });
  await assert.rejects(options({ apiKey: NO_HOOKS_KEY }), {
    message: "this key of the workspace default lacks the hooks scope; make one that has it",
  });
  const wrong = `rp_live_${"x".repeat(32)}`;
  await assert.rejects(options({ apiKey: wrong }), ({ message }) => {
    assert.match(message, /Relay answered 401/);
    return !message.includes(wrong);
  });

  const older = createServer((request, response) => {
    const known = request.url === "/api/v1/event-types";
    response.writeHead(known ? 200 : 404).end(known ? '[{"id": "a.b", "label": "B"}]' : '{"error": "not found"}');
  });
  older.listen(0, "127.0.0.1");
  await once(older, "listening");
  t.after(() => older.close());
  const relayUrl = `http://127.0.0.1:${older.address().port}`;
  assert.deepEqual(await options({ relayUrl }), [{ value: "a.b", label: "B" }], "a Relay that has no such answer yet");
});

test("an active source emits each event once, and one that is not has no hook", async (t) => {
  const deployed = await Deployed.start(t, source, { eventType: "payout.sent" });
  await deployed.hook("activate");
  const [hook] = await deployed.hooks();
  assert.match(hook.id, /^pipedream-/);
  assert.equal(hook.source, "pipedream");

  const { id } = await publish("payout.sent", { amount: 25 });
  const request = await deployed.called();
  assert.equal(deployed.answer.status, 200);
  const [{ event, meta }] = deployed.emitted;
  assert.deepEqual([event.event_id, event.amount], [id, 25]);
  assert.equal(meta.id, event.id);
  assert.equal(meta.summary, `payout.sent at ${event.occurred_at}`);
  assert.equal(meta.ts, Date.parse(event.occurred_at));

  await deployed.run(request);
  assert.equal(deployed.emitted.length, 1, "a second try has the same id");

  await deployed.hook("deactivate");
  assert.deepEqual(await deployed.hooks(), []);
  await deployed.hook("deactivate");
  assert.equal((await deployed.run(request)).status, 401, "the secret is gone with the hook");
});

test("a request that the hook did not sign is answered 401 and emits nothing", async (t) => {
  const deployed = await Deployed.start(t, source, { eventType: "payout.failed" });
  await deployed.hook("activate");
  await publish("payout.failed", { amount: 25 });
  const request = await deployed.called();
  deployed.emitted.length = 0;

  const signature = request.headers["x-radar-signature"];
  const other = signature.replace(/.$/, (last) => (last === "0" ? "1" : "0"));
  for (const change of [
    { bodyRaw: request.bodyRaw.replace("25", "26") },
    { bodyRaw: `${request.bodyRaw} ` },
    { bodyRaw: undefined },
    { headers: {} },
    { headers: { "x-radar-signature": other } },
  ]) {
    assert.equal((await deployed.run({ ...request, ...change })).status, 401);
  }
  assert.deepEqual(deployed.emitted, []);
});

test("activating again leaves no hook behind", async (t) => {
  const deployed = await Deployed.start(t, source, { eventType: "render.succeeded" });
  await deployed.hook("activate");
  const [first] = await deployed.hooks();
  await deployed.hook("activate");
  const hooks = await deployed.hooks();
  assert.equal(hooks.length, 1);
  assert.notEqual(hooks[0].id, first.id);

  await publish("render.succeeded", {});
  await deployed.called();
  assert.equal(deployed.emitted.length, 1, "with the new secret");
});

test("deploying shows the sample first, and the newest events as soon as there are some", async (t) => {
  const app = { store: "apple", app_id: String(randomInt(1e9, 1e12)) };
  const deploy = async () => {
    const deployed = await Deployed.start(t, source, { eventType: "review.created", ...app, max_stars: 3 });
    await deployed.hook("deploy");
    assert.deepEqual(await deployed.hooks(), [], "deploying subscribes nothing");
    return deployed.emitted.map(({ event }) => event);
  };
  const authorization = `Bearer ${KEY}`;
  const sample = await fetch(`${RELAY_URL}/api/v1/sample?event_type=review.created`, { headers: { authorization } });
  assert.deepEqual(await deploy(), await sample.json());

  for (const [review_id, rating] of [["a", 1], ["b", 2], ["c", 5], ["d", 3], ["e", 1]]) {
    await publish("review.created", { ...REVIEW, ...app, review_id, rating });
  }
  assert.deepEqual((await deploy()).map(({ review_id }) => review_id), ["b", "d", "e"], "oldest first");
});

test("only what matches the form arrives", async (t) => {
  const app = { store: "google", app_id: "com.acme.notes" };
  const form = { ...app, min_stars: 4, country: "de" };
  const deployed = await Deployed.start(t, source, { eventType: "review.created", ...form });
  await deployed.hook("activate");
  const [hook] = await deployed.hooks();
  assert.deepEqual([hook.store, hook.app_id, hook.country], ["google", "com.acme.notes", "de"]);
  await publish("review.created", { ...REVIEW, ...app, country: "de", rating: 3, review_id: "low" });
  await publish("review.created", { ...REVIEW, ...app, country: "de", rating: 5, review_id: "high" });
  assert.equal((await deployed.called()).body.review_id, "high");
});

test("what Relay refuses is said in its words, and nothing is stored", async (t) => {
  const deployed = await Deployed.start(t, source, { eventType: "review.created", store: "apple" });
  await assert.rejects(deployed.hook("activate"), /Relay answered 400: app_id is required/);
  await deployed.hook("deactivate");
  assert.deepEqual(await deployed.hooks(), []);
});

test("a revoked key does not keep a source on, a Relay that is away does", async (t) => {
  const deployed = await Deployed.start(t, source, { eventType: "clip.rejected" });
  await deployed.hook("activate");
  deployed.instance.relayUrl = `http://127.0.0.1:${await closedPort()}`;
  await assert.rejects(deployed.hook("deactivate"), /Relay cannot be reached at .* \(ECONNREFUSED\)/);
  deployed.instance.relayUrl = RELAY_URL;
  deployed.instance.apiKey = `rp_live_${"x".repeat(32)}`;
  await deployed.hook("deactivate");
  assert.equal(deployed.instance.db.get("hook"), null);
});
