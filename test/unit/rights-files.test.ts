import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { rightsOnLedger, ROLES } from '../../database/rights-list';

const root = path.resolve(__dirname, '../..');

test('rights.sql, rights-lnbits.sql and docs/operations.md are what the list of rights says (npm run docs:rights)', () => {
  // Exits with 1, and says so, when they are not.
  execFileSync(process.execPath, ['scripts/docs-rights.mjs', '--check'], { cwd: root, stdio: 'pipe' });
});

test('the list knows every table of the ledger, and no other', () => {
  const migration = readFileSync(path.join(root, 'database/migrations/0001_ledger.sql'), 'utf8');
  const tables = [...migration.matchAll(/^CREATE TABLE republish\.(\w+)/gm)].map(([, name]) => name);
  const listed = ROLES.flatMap(rightsOnLedger).flatMap(({ on, name }) => (on === 'TABLE' ? [name] : []));
  expect([...new Set(listed)].sort()).toEqual([...tables, 'migrations'].sort());
});
