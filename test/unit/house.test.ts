import { execFileSync } from 'node:child_process';
import path from 'node:path';

/** The arrows of the house are rules of the linter; these are imports that must not pass it. */
const FORBIDDEN = [
  ['workflows/x.ts', "export * from '../database/audit';"],
  ['workflows/x.ts', "export * from '../activities/seal-document';"],
  ['workflows/x.ts', "export { readFileSync } from 'node:fs';"],
  ['contract/x.ts', "export * from '../nostr/keys';"],
  ['contract/x.ts', "export * from '../rules/suggest';"],
  ['contract/x.ts', "export { readFileSync } from 'node:fs';"],
  ['temporal/x.ts', "export * from '../client/start';"],
  ['rules/x.ts', "export * from '../nostr/events';"],
  ['rules/x.ts', "export { setTimeout } from 'node:timers/promises';"],
  ['database/x.ts', "export * from '../nostr/keys';"],
  ['documents/x.ts', "export * from '../database/audit';"],
  ['nostr/relays/x.ts', "export * from '../../database/audit';"],
  ['database/ledger/x.ts', "export * from '../../activities/seal-document';"],
  ['activities/x.ts', "export * from '../worker/run';"],
  ['activities/x.ts', "export { verifyEvent } from 'nostr-tools/pure';"],
  ['activities/x.ts', "export { Pool } from 'pg';"],
  ['nostr/x.ts', "export { Counter } from 'prom-client';"],
  ['activities/x.ts', "export { trace } from '@opentelemetry/api';"],
  ['client/x.ts', "export * from '../database/audit';"],
  ['client/x.ts', "export * from './cli/signers';"],
  ['worker/x.ts', "export * from '../dev/stack';"],
  ['worker/x.ts', "export * from '../embedded/postgres';"],
  ['embedded/x.ts', "export * from '../dev/stack';"],
  ['embedded/x.ts', "export * from '../worker/run';"],
  ['rules/x.ts', "export * from '../async/wait';"],
  ['async/x.ts', "export * from '../contract/names';"],
  ['nostr/relays/x.ts', "export * from '../bunker/client';"],
  ['nostr/relays/x.ts', "export * from '../signers/signer';"],
  ['nostr/bunker/x.ts', "export * from '../signers/keyring';"],
  ['nostr/bunker/x.ts', "export * from '../../database/audit';"],
  ['activities/x.ts', "import { setTimeout } from 'node:timers/promises';"],
  ['activities/x.ts', "new AbortController().signal.addEventListener('abort', () => undefined);"],
  ['nostr/x.ts', 'export const home = process.env.HOME;'],
  ['inspection/x.ts', "export * from '../client/republish';"],
  ['activities/x.ts', "export * from '../inspection/plan';"],
  ['inspection/x.ts', "export * from '../worker/run';"],
  ['inspection/x.ts', "export { openDatabase } from '../database/connection';"],
  ['inspection/doctor/x.ts', "export { Keyring } from '../../nostr/signers/keyring';"],
  ['inspection/x.ts', "export { buildDependencies } from '../assembly/build-dependencies';"],
  ['assembly/x.ts', "export * from '../inspection/plan';"],
  ['workflows/x.ts', "export function f(): void { throw new Error('hangs the workflow'); }"],
] as const;

const ALLOWED = [
  ['workflows/x.ts', "export { proxyActivities } from '@temporalio/workflow';"],
  ['workflows/x.ts', "export * from '../contract/names';"],
  ['workflows/x.ts', "export * from '../rules/quorum';"],
  ['rules/x.ts', "export * from '../contract/names';"],
  ['nostr/relays/x.ts', "export * from '../../rules/quorum';"],
  ['activities/x.ts', "export * from '../database/audit';"],
  ['client/x.ts', "export * from '../async/wait';"],
  ['nostr/bunker/x.ts', "export * from '../signers/signer';"],
  ['nostr/signers/x.ts', "export * from '../bunker/client';"],
  ['client/cli/x.ts', "export * from '../../database/audit';"],
  ['client/cli/x.ts', "export * from '../../embedded/postgres';"],
  ['worker/x.ts', "export * from '../inspection/doctor/finding';"],
  ['inspection/x.ts', "export { openReadOnlyDatabase } from '../database/connection';"],
  ['dev/x.ts', "export * from '../embedded/postgres';"],
  ['embedded/x.ts', "export * from '../database/admin';"],
  ['nostr/relays/x.ts', "export { verifyEvent } from 'nostr-tools/pure';"],
] as const;

/** Lints lines as if they stood in these files; the names of the rules of the house that each breaks. */
const LINT = `
  const { ESLint } = require('eslint');
  const cases = JSON.parse(process.argv[1]);
  const eslint = new ESLint({
    // Types play no part here, and the files do not exist.
    overrideConfig: {
      languageOptions: { parserOptions: { project: false } },
      rules: { '@typescript-eslint/no-floating-promises': 'off', '@typescript-eslint/no-misused-promises': 'off' },
    },
  });
  const lint = async ([filePath, line]) => (await eslint.lintText(line + '\\n', { filePath }))[0].messages;
  Promise.all(cases.map(lint)).then((all) =>
    console.log(JSON.stringify(all.map((messages) => messages.map(({ ruleId }) => String(ruleId))))),
  );
`;

const CASES = [...FORBIDDEN, ...ALLOWED];
let complaints: string[][];

beforeAll(() => {
  // In a process of its own: the linter's configuration is an ES module, which jest cannot import.
  const printed = execFileSync(process.execPath, ['-e', LINT, JSON.stringify(CASES)], {
    cwd: path.resolve(__dirname, '../..'),
    encoding: 'utf8',
  });
  complaints = (JSON.parse(printed) as string[][]).map((rules) =>
    rules.filter((rule) => rule.startsWith('no-restricted')),
  );
});

test.each(FORBIDDEN)('%s may not hold: %s', (file, line) => {
  expect(complaints[CASES.findIndex((each) => each[0] === file && each[1] === line)]).not.toEqual([]);
});

test.each(ALLOWED)('%s may hold: %s', (file, line) => {
  expect(complaints[CASES.findIndex((each) => each[0] === file && each[1] === line)]).toEqual([]);
});
