/** Find a customer's recording session. */

import { connection, RelayError, request } from "../../relay.app.mjs";

export default {
  key: "relay-find-submission",
  name: "Find Submission",
  description: "Find a submission by its ID, or the newest that matches, with its clips.",
  version: "0.1.0",
  type: "action",
  props: {
    ...connection,
    submissionId: {
      type: "string",
      label: "Submission ID",
      description: "When given, the other fields are not looked at.",
      optional: true,
    },
    customerEmail: {
      type: "string",
      label: "Customer Email",
      description: "Whose; anybody when left empty.",
      optional: true,
    },
    status: {
      type: "string",
      label: "Status",
      description: "Any when left empty.",
      options: ["in_progress", "submitted", "approved", "partial_approved", "rejected", "paid"],
      optional: true,
    },
  },
  async run({ $ }) {
    const id = this.submissionId || (await newest(this))?.id;
    const answer = id === undefined ? undefined : await read(this, id);
    $.export("$summary", answer === undefined ? "Found no submission" : `Found submission ${id}`);
    return {
      found: answer !== undefined,
      submission: answer?.submission ?? null,
      clips: answer?.clips ?? [],
    };
  },
};

async function newest(action) {
  const query = { customer_email: action.customerEmail, status: action.status, limit: 1 };
  const { submissions } = await request(action, "GET", "/v1/submissions", { query });
  return submissions[0];
}

async function read(action, id) {
  try {
    return await request(action, "GET", `/v1/submissions/${encodeURIComponent(id)}`);
  } catch (error) {
    if (error instanceof RelayError && error.status === 404) {
      return undefined;
    }
    throw error;
  }
}
