/** Invite a customer to record a testimonial. */

import { connection, customer, request } from "../../relay.app.mjs";

export default {
  key: "relay-create-invitation",
  name: "Create Invitation",
  description: "Make a personal recording link for a customer, or get the one they have, and mail it to them.",
  version: "0.1.0",
  type: "action",
  props: {
    ...connection,
    ...customer,
    sendEmail: {
      type: "boolean",
      label: "Send Email",
      description: "Mail the link, if Relay has a mail server.",
      default: true,
      optional: true,
    },
  },
  async run({ $ }) {
    const invitation = await request(this, "POST", "/v1/invitations", {
      body: {
        customer_email: this.customerEmail,
        customer_name: this.customerName,
        customer_phone: this.customerPhone,
        collector_id: this.collectorId,
        send_email: this.sendEmail,
      },
    });
    $.export("$summary", invitation.reused ? "This customer had been invited before" : "Invited the customer");
    return invitation;
  },
};
