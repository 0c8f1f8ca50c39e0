'use strict';

// The life of an instant trigger: subscribed when a Zap is turned on, unsubscribed when it is turned off. These are
// functions because Zapier's request objects cannot take the empty answer to an unsubscribe.

const { isSigned } = require('./signature');

const SAMPLES = 3;

/** The operation of a trigger; `eventTypeOf(bundle)` says which events it is for. */
function hookOperation(eventTypeOf, { inputFields, outputFields, sample }) {
  const wanted = (bundle) => ({ ...bundle.inputData, event_type: eventTypeOf(bundle) });

  return {
    type: 'hook',
    inputFields,
    outputFields,
    sample,

    async performSubscribe(z, bundle) {
      const zap = bundle.meta?.zap?.id;
      const response = await z.request({
        method: 'POST',
        url: '/api/v1/hooks',
        body: {
          ...wanted(bundle),
          target_url: bundle.targetUrl,
          source: 'zapier',
          ...(zap && { external_ref: `zap:${zap}` }),
        },
      });
      return response.data;
    },

    async performUnsubscribe(z, bundle) {
      await z.request({
        method: 'DELETE',
        url: `/api/v1/hooks/${encodeURIComponent(bundle.subscribeData.id)}`,
        // It is gone already: that is what was wanted.
        middlewareData: { fine: [404] },
      });
      return {};
    },

    async performList(z, bundle) {
      const params = { ...wanted(bundle), limit: SAMPLES };
      const removeMissingValuesFrom = { params: true };
      const real = await z.request({
        url: '/api/v1/events',
        params,
        removeMissingValuesFrom,
        middlewareData: { fine: [404] },
      });
      if (real.status !== 404) return real.data;
      // A Relay from before it could list events of a hook has a made-up one.
      const madeUp = await z.request({ url: '/api/v1/sample', params: { event_type: params.event_type } });
      return madeUp.data;
    },

    perform(z, bundle) {
      if (!isSigned(bundle.rawRequest, bundle.subscribeData?.secret)) {
        // Halted, neither dropped nor failed: the owner of the Zap sees it in the history and can tell why a real event
        // did not arrive, while a stranger who posts to its address can neither run the Zap nor get it turned off.
        throw new z.errors.HaltedError(
          'This request was not signed by your Relay, so it was ignored. If events of your own end here, ' +
            'turn the Zap off and on: it then subscribes anew.',
        );
      }
      // Read from what was verified.
      return [JSON.parse(bundle.rawRequest.content)];
    },
  };
}

module.exports = { hookOperation };
