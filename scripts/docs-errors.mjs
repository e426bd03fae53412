// Writes docs/errors.md from contract/catalogue/ (npm run docs:errors). With --check it only says whether the
// page is what the catalogue says.
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { format } from 'prettier';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const require = createRequire(import.meta.url);
const { typesWith, traitsOf } = require(path.join(root, 'dist/contract/failures.js'));
const { EXIT, exitCodeFor } = require(path.join(root, 'dist/client/cli/exit-codes.js'));

/** The parts of the page, by what is at fault. */
const PARTS = [
  ['One document', ['document'], 'The other documents are not affected.'],
  ['The signer', ['signer'], 'Every document that needs this signer fails for it.'],
  ['The relays', ['relay'], 'Every document that these relays should hold fails for it.'],
  ['A database', ['database'], "The ledger in Postgres, or LNbits' database."],
  ['Workers and Temporal', ['worker', 'temporal'], 'What does the work, and what hands it out.'],
  ['The call', ['caller'], 'What was asked for, and how a run was ended.'],
];

function section(type) {
  const { meaning, remedy, retryable, bunkerResult } = traitsOf(type);
  const retried = retryable
    ? 'Retried: the step is tried again within its bound before it fails.'
    : 'Not retried: trying again without a change would end the same way.';
  const counted =
    bunkerResult === undefined
      ? ''
      : `- \`result\` in \`republish_bunker_requests_total\`: \`${bunkerResult}\`\n`;
  return `### ${type}\n\n${meaning}\n\n- ${retried}\n- Remedy: ${remedy}\n- Exit code: ${exitCodeFor(type)}\n${counted}`;
}

const parts = PARTS.map(
  ([title, scopes, who]) =>
    `## ${title}\n\n${who}\n\n${scopes
      .flatMap((scope) => typesWith('scope', scope))
      .map(section)
      .join('\n')}`,
);
/** What each exit code of `republish` says; those of no failure have no type. */
const EXITS = {
  ok: 'all is well',
  failed: 'it failed',
  usage: 'the command was called wrongly',
  partlyDone: 'some documents stand, and some do not',
  signer: 'the signer is at fault',
  preflight: 'something has to be put right before a run can begin',
  detached: 'Ctrl-C: the command has detached from the run, which continues',
};
const exits = Object.entries(EXIT).map(([name, code]) => `| ${code} | ${EXITS[name]} |`);

const page = path.join(root, 'docs/errors.md');
const text = await format(
  `<!-- Made from contract/failures.ts by \`npm run docs:errors\`; change it there. -->

# Errors

Every way a document, a run, a command or a call of the library can fail, by the \`type\` that Temporal, the audit,
\`republish status\` and the library show. A document's failure stands in the audit and does not stop the others; the run then
ends as \`RepublishIncomplete\` (or holds, with \`onFailure: 'hold'\`).

## Exit codes

| exit code of \`republish\` | what it says |
| --- | --- |
${exits.join('\n')}

${parts.join('\n')}`,
  { parser: 'markdown', printWidth: 110 },
);

if (process.argv.includes('--check')) {
  if (readFileSync(page, 'utf8') !== text) {
    console.error('docs/errors.md is not what contract/ says: npm run docs:errors');
    process.exitCode = 1;
  }
} else {
  writeFileSync(page, text);
}
