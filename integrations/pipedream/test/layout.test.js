/** Every component is where Pipedream's registry would have it, and can be published. */

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";

for (const [folder, type] of [["sources", "source"], ["actions", "action"]]) {
  for (const name of readdirSync(new URL(`../${folder}`, import.meta.url))) {
    test(`${folder}/${name}`, async () => {
      const { default: component } = await import(`../${folder}/${name}/${name}.mjs`);
      assert.equal(component.key, `relay-${name}`);
      assert.equal(component.type, type);
      assert.match(component.version, /^\d+\.\d+\.\d+$/);
      assert.ok(component.name && component.description);
      assert.equal(component.props.apiKey.secret, true);
    });
  }
}
