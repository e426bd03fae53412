import { execFileSync } from 'node:child_process';
import path from 'node:path';

const root = path.resolve(__dirname, '../..');

test('docs/errors.md is what the catalogue says (npm run docs:errors)', () => {
  // Exits with 1, and says so, when it is not.
  execFileSync(process.execPath, ['scripts/docs-errors.mjs', '--check'], { cwd: root, stdio: 'pipe' });
});
