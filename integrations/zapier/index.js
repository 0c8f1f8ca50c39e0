'use strict';

// The integration: what Zapier loads, shows in its editor, and runs.

const zapier = require('zapier-platform-core');

const { version } = require('./package.json');
const authentication = require('./authentication');
const { addressAndKey } = require('./requests');
const { refusals } = require('./refusals');
const eventTypes = require('./event_types.json');
const { appList, eventTypeList } = require('./triggers/drop_downs');
const { namedTriggers } = require('./triggers/named');
const newEvent = require('./triggers/new_event');
const { createInvitation, mintMagicLink } = require('./creates/invitations');
const publishEvent = require('./creates/publish_event');
const findDelivery = require('./searches/find_delivery');
const findSubmission = require('./searches/find_submission');

const byKey = (operations) => Object.fromEntries(operations.map((operation) => [operation.key, operation]));

module.exports = {
  version,
  platformVersion: zapier.version,
  authentication,
  beforeRequest: [addressAndKey],
  afterResponse: [refusals],
  // Without this, core throws away Relay's text of a 429 before `refusals` can read it.
  flags: { throwForThrottlingEarly: false },
  triggers: byKey([newEvent, ...namedTriggers(eventTypes), eventTypeList, appList]),
  creates: byKey([createInvitation, mintMagicLink, publishEvent]),
  searches: byKey([findSubmission, findDelivery]),
};
