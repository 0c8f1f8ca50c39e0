/** Make a customer's personal link without mailing it. */

import { connection, customer, request } from "../../relay.app.mjs";

export default {
  key: "relay-mint-magic-link",
  name: "Mint Magic Link",
  description: "Make a personal recording link for a customer, or get the one they have, without sending mail.",
  version: "0.1.0",
  type: "action",
  props: {
    ...connection,
    ...customer,
  },
  async run({ $ }) {
    const invitation = await request(this, "POST", "/v1/magic-link", {
      body: {
        customer_email: this.customerEmail,
        customer_name: this.customerName,
        customer_phone: this.customerPhone,
        collector_id: this.collectorId,
      },
    });
    $.export("$summary", invitation.reused ? "This customer had a link already" : "Made a link for the customer");
    return invitation;
  },
};
