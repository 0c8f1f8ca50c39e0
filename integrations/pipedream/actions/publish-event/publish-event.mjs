/** Publish an event to everything that is subscribed to its type. */

import { connection, RelayError, request } from "../../relay.app.mjs";

export default {
  key: "relay-publish-event",
  name: "Publish Event",
  description: "Publish an event; Relay delivers it to everything that is subscribed to its type.",
  version: "0.1.0",
  type: "action",
  props: {
    ...connection,
    eventType: {
      type: "string",
      label: "Event Type",
      description: "Lower-case words parted by dots, such as `order.created`",
    },
    payload: {
      type: "object",
      label: "Payload",
      description: "A JSON object of at most 256 KB.",
    },
    idempotencyKey: {
      type: "string",
      label: "Idempotency Key",
      description: "Within 24 hours the same key publishes once, so that a step that is tried again does no harm.",
      optional: true,
    },
  },
  async run({ $ }) {
    const event = await request(this, "POST", "/v1/events", {
      body: { type: this.eventType, payload: objectOf(this.payload) },
      headers: this.idempotencyKey ? { "idempotency-key": this.idempotencyKey } : {},
    });
    $.export("$summary", `Published ${event.type} to ${event.deliveries_summary.total} receivers`);
    return event;
  },
};

/** An expression may give the JSON text of an object. */
function objectOf(payload) {
  if (typeof payload !== "string") {
    return payload;
  }
  try {
    return JSON.parse(payload);
  } catch {
    throw new RelayError("Payload must be a JSON object");
  }
}
