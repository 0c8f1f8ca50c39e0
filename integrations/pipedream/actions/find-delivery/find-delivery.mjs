/** Find out what became of an event at one of its receivers. */

import { connection, RelayError, request } from "../../relay.app.mjs";

export default {
  key: "relay-find-delivery",
  name: "Find Delivery",
  description: "Find a delivery by its ID, or the newest that matches, with its attempts.",
  version: "0.1.0",
  type: "action",
  props: {
    ...connection,
    deliveryId: {
      type: "string",
      label: "Delivery ID",
      description: "When given, the other fields are not looked at.",
      optional: true,
    },
    eventId: {
      type: "string",
      label: "Event ID",
      description: "The ID that Publish Event returned; any event when left empty.",
      optional: true,
    },
    status: {
      type: "string",
      label: "Status",
      description: "Any when left empty.",
      options: [
        { value: "pending", label: "Pending: will be tried, or tried again" },
        { value: "success", label: "Success: the receiver took it" },
        { value: "dead", label: "Dead: given up" },
      ],
      optional: true,
    },
  },
  async run({ $ }) {
    const id = this.deliveryId || (await newest(this))?.id;
    const delivery = id === undefined ? undefined : await read(this, id);
    $.export("$summary", delivery === undefined ? "Found no delivery" : `Found a delivery: ${delivery.status}`);
    return { found: delivery !== undefined, delivery: delivery ?? null };
  },
};

async function newest(action) {
  const query = { event_id: action.eventId, status: action.status, limit: 1 };
  return (await request(action, "GET", "/v1/deliveries", { query })).data[0];
}

async function read(action, id) {
  try {
    return await request(action, "GET", `/v1/deliveries/${encodeURIComponent(id)}`);
  } catch (error) {
    if (error instanceof RelayError && error.status === 404) {
      return undefined;
    }
    throw error;
  }
}
