"""Every operation of this API: its route, its scope, and what the OpenAPI document says about it."""

from __future__ import annotations

from relay.apis.ravepilot import schemas
from relay.apis.ravepilot.invitations import create_invitation, create_magic_link
from relay.apis.ravepilot.submissions import get_submission, list_submissions
from relay.apis.ravepilot.webhooks import create_webhook, delete_webhook, list_webhook_deliveries, list_webhooks
from relay.web.operation import Operation

_ERRORS = {401: schemas.Error, 403: schemas.Error}
_INPUT_ERRORS = {400: schemas.Error, **_ERRORS}

OPERATIONS = (
    Operation(
        "POST",
        "/v1/invitations",
        "createInvitation",
        "Invite a customer (once per e-mail address)",
        create_invitation,
        scope="invitations",
        request=schemas.InvitationRequest,
        answers={200: schemas.InvitationResponse, **_INPUT_ERRORS},
        tag="Invitations",
        description=(
            "Makes a personal recording link for a customer, or gives back the one they have, and mails it unless "
            "`send_email` is false. An address that was invited before keeps its link, its session and its campaign; a "
            "name or phone number that was missing is filled in. Only the first call fires `invitation.created`."
        ),
    ),
    Operation(
        "POST",
        "/v1/magic-link",
        "createMagicLink",
        "Make a personal link without mailing it",
        create_magic_link,
        scope="invitations",
        request=schemas.MagicLinkRequest,
        answers={200: schemas.InvitationResponse, **_INPUT_ERRORS},
        tag="Invitations",
        description="Like createInvitation, but never sends mail: for showing the link in an application of your own.",
    ),
    Operation(
        "GET",
        "/v1/submissions",
        "listSubmissions",
        "List submissions, newest first",
        list_submissions,
        scope="submissions",
        query=schemas.SubmissionQuery,
        answers={200: schemas.SubmissionList, **_INPUT_ERRORS},
        tag="Submissions",
        description="Each customer has one. Page with `limit` and `offset`, or look one up by its customer.",
    ),
    Operation(
        "GET",
        "/v1/submissions/{id}",
        "getSubmission",
        "Read a submission with its clips",
        get_submission,
        scope="submissions",
        answers={200: schemas.SubmissionDetail, **_ERRORS, 404: schemas.Error},
        tag="Submissions",
        description="Every take of every question is there, whatever became of it.",
    ),
    Operation(
        "POST",
        "/v1/webhooks",
        "createWebhook",
        "Have events pushed to an address",
        create_webhook,
        scope="webhooks",
        request=schemas.WebhookRequest,
        answers={200: schemas.WebhookCreated, **_INPUT_ERRORS},
        tag="Webhooks",
        description="The answer holds the signing secret. Keep it: it is not shown again.",
    ),
    Operation(
        "GET",
        "/v1/webhooks",
        "listWebhooks",
        "List webhooks and the event names there are",
        list_webhooks,
        scope="webhooks",
        answers={200: schemas.WebhookList, **_ERRORS},
        tag="Webhooks",
        description="Without their secrets. `events` has every name that createWebhook takes.",
    ),
    Operation(
        "DELETE",
        "/v1/webhooks/{id}",
        "deleteWebhook",
        "Delete a webhook",
        delete_webhook,
        scope="webhooks",
        answers={200: schemas.WebhookDeleted, **_ERRORS},
        tag="Webhooks",
        description="What still waits for it ends as failed, unsent. An unknown id is answered `deleted: false`.",
    ),
    Operation(
        "GET",
        "/v1/webhook-deliveries",
        "listWebhookDeliveries",
        "Read the delivery log (the newest 50)",
        list_webhook_deliveries,
        scope="webhooks",
        query=schemas.DeliveryQuery,
        answers={200: schemas.DeliveryList, **_INPUT_ERRORS},
        tag="Webhooks",
        description=(
            "A delivery is tried up to six times: at once, then after 1 m, 5 m, 30 m, 2 h and 6 h. After 25 failed "
            "requests in a row a webhook is disabled."
        ),
    ),
)
