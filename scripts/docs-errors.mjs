// Writes docs/errors.md from the catalogues in contract/failures.ts and contract/caller-failures.ts (npm run
// docs:errors). With --check it only says whether the page is what the code says.
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { format } from 'prettier';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const require = createRequire(import.meta.url);
const { FAILURES } = require(path.join(root, 'dist/contract/failures.js'));
const { CALLER_FAILURES } = require(path.join(root, 'dist/contract/caller-failures.js'));
const { exitCodeFor } = require(path.join(root, 'dist/client/cli/exit-codes.js'));

const page = path.join(root, 'docs/errors.md');
const sections = Object.entries(FAILURES).map(
  ([type, { meaning, remedy, retryable }]) => `## ${type}

${meaning}

- ${retryable ? 'Retried: the step is tried again within its bound before it fails for good.' : 'Not retried: trying again without a change would end the same way.'}
- Remedy: ${remedy}
- Exit code of \`republish start\` when it ends a run: ${exitCodeFor(type)}
`,
);
const callerSections = Object.entries(CALLER_FAILURES).map(
  ([type, { meaning, remedy }]) => `### ${type}

${meaning}

- Remedy: ${remedy}
- Exit code of \`republish\`: ${exitCodeFor(type)}
`,
);
const text = await format(
  `<!-- Made from contract/failures.ts and contract/caller-failures.ts by \`npm run docs:errors\`; change it there. -->

# Errors

Every way a run or a document can fail, by the \`type\` that Temporal, the audit, \`republish status\` and the library show.
A document's failure stands in the audit and does not stop the others; the run then ends as \`RepublishIncomplete\` (or holds,
with \`onFailure: 'hold'\`). What else a command or a call of the library may meet stands [at the end](#around-a-run).

${sections.join('\n')}
## Around a run

What a command or a call of the library can meet besides: the \`type\` of the error.

${callerSections.join('\n')}`,
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
