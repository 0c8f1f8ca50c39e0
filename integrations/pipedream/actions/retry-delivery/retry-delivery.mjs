/** Send a delivery again. */

import { connection, request } from "../../relay.app.mjs";

export default {
  key: "relay-retry-delivery",
  name: "Retry Delivery",
  description: "Send a delivery again at once, whatever its status.",
  version: "0.1.0",
  type: "action",
  props: {
    ...connection,
    deliveryId: {
      type: "string",
      label: "Delivery ID",
    },
  },
  async run({ $ }) {
    const delivery = await request(this, "POST", `/v1/deliveries/${encodeURIComponent(this.deliveryId)}/retry`);
    $.export("$summary", `Sending delivery ${delivery.id} again`);
    return delivery;
  },
};
