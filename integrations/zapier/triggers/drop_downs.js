'use strict';

// The lists behind the drop-downs: triggers that nobody sees.

const eventTypeList = {
  key: 'eventTypeList',
  noun: 'Event Type',
  display: { label: 'Event Type List', description: 'Fills the drop-down of event types.', hidden: true },
  operation: {
    async perform(z) {
      const response = await z.request({ url: '/api/v1/event-types' });
      return response.data.map(({ id, label }) => ({ id, label }));
    },
  },
};

const appList = {
  key: 'appList',
  noun: 'App',
  display: { label: 'App List', description: 'Fills the drop-down of apps.', hidden: true },
  operation: {
    async perform(z, bundle) {
      const response = await z.request({ url: '/api/v1/apps' });
      const { store } = bundle.inputData;
      const ofStore = response.data.filter((app) => !store || app.store === store);
      // One app is listed for each of its countries; here it is wanted once.
      const byId = new Map(ofStore.map((app) => [app.app_id, { id: app.app_id, label: app.name ?? app.app_id }]));
      return [...byId.values()];
    },
  },
};

module.exports = { appList, eventTypeList };
