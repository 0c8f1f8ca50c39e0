/** Makes `dist/`: the piece in one file that needs nothing else, and a package.json for it. */

import { readFile, rm, writeFile } from 'node:fs/promises';
import { build } from 'esbuild';

const { name, version, description, license } = JSON.parse(await readFile('package.json', 'utf8'));

await rm('dist', { recursive: true, force: true });
await build({
  entryPoints: ['src/index.ts'],
  outfile: 'dist/src/index.js',
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  minify: true,
  // Activepieces knows the piece among the exports by the name of its class.
  keepNames: true,
});
// Some releases of Activepieces look for a file of this name instead of what `main` says.
await writeFile('dist/index.bundle.js', 'module.exports = require("./src/index.js");\n');
// Name and version come first: the dialog that takes the package reads no further.
const manifest = { name, version, description, license, main: './src/index.js' };
await writeFile('dist/package.json', `${JSON.stringify(manifest, null, 2)}\n`);
