/** The archive that is uploaded: it loads on its own, by every way in which Activepieces loads a piece. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { extractPieceFromModule } from '@activepieces/shared';

test('the archive is a piece that needs nothing else', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'piece-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const [{ filename }] = JSON.parse(execFileSync('npm', ['pack', './dist', '--json', '--pack-destination', folder]));
  execFileSync('tar', ['xzf', filename], { cwd: folder });

  const load = createRequire(join(folder, 'package', 'package.json'));
  const manifest = load('./package.json');
  assert.deepEqual(Object.keys(manifest).slice(0, 2), ['name', 'version']);
  assert.equal(manifest.dependencies, undefined);
  for (const entry of [manifest.main, './src/index.js', './index.bundle.js']) {
    const piece = extractPieceFromModule({ module: load(entry), pieceName: 'relay', pieceVersion: manifest.version });
    assert.equal(piece.metadata().displayName, 'Relay');
    assert.equal(Object.keys(piece.actions()).length, 7);
  }
});
