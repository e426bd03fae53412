import type { Command } from 'commander';
import { remedyFor } from '../../../contract/failures';
import type { RepublishPlan } from '../../../inspection/plan';
import type { ForeseenDocument } from '../../../inspection/plan-document';
import type { RelayFacts } from '../../../inspection/relay-probe';
import { byMachine, withoutName } from '../by-machine';
import { EXIT } from '../exit-codes';
import { print, printJson, say } from '../output';
import { forOperator } from '../run-view/commands';
import { fittedTable, paragraph, sectionedTable, short } from '../terminal/table';

interface PlanOptions {
  documentType?: string[];
  machine?: string[];
  expectedPubkey?: string;
  force?: true;
  json?: true;
}

/** Rows that a person reads; those that have to be put right are always shown. */
const MAX_ROWS = 100;

export function registerPlan(program: Command): void {
  program
    .command('plan')
    .summary('say what a run would do, and do nothing')
    .description(
      "Says for each machine and document type what a run would do now: publish, unchanged, no state, or invalid and why; with sizes, the relays and their limits, and whether the signer's key is the account's. Signs nothing and writes nothing; a relay that answers only whom it knows (NIP-42) can therefore not be looked at.\nNeeds a worker's configuration. Exit code 5 when something has to be put right first.",
    )
    .argument('<operator>', "the operator's user id (accounts.id in LNbits)")
    .option('--document-type <type...>', 'only these document types')
    .option('--machine <id...>', 'only these machines')
    .option('--expected-pubkey <key>', 'the key that the operator should have now (hex or npub)')
    .option('--force', 'as with `start --force`: what is unchanged would be signed anew')
    .option('--json', 'as JSON on stdout')
    .addHelpText('before', 'Example: republish plan 8f3c2b\n')
    .action(plan);
}

async function plan(operator: string, options: PlanOptions): Promise<void> {
  const { planRepublish, hasObstacles } = await import('../../../inspection/plan.js');
  const { workerConfiguration } = await import('../configuration.js');
  const { publicKeyOption } = await import('../public-key.js');
  const expectedPubkey =
    options.expectedPubkey === undefined
      ? undefined
      : await publicKeyOption('--expected-pubkey', options.expectedPubkey);
  const planned = await planRepublish(
    await workerConfiguration(['databaseUrl', 'relays', 'secretsKey']),
    {
      operatorUserId: operator,
      ...(options.documentType ? { documentTypes: [...new Set(options.documentType)] } : {}),
      ...(options.machine ? { machineIds: [...new Set(options.machine)] } : {}),
      ...(expectedPubkey ? { expectedPubkey } : {}),
      ...(options.force ? { force: true } : {}),
    },
    say,
  );
  if (options.json) printJson(planned);
  else await show(planned);
  if (hasObstacles(planned)) process.exitCode = EXIT.preflight;
}

async function show(planned: RepublishPlan): Promise<void> {
  const { npub } = await import('../../../nostr/keys.js');
  const { operatorUserId, operatorPubkey, documents, counts, relays, quorum, problems } = planned;
  print(`operator ${operatorUserId}\nkey      ${npub(operatorPubkey)}`);
  print(`signer   ${signerLine(planned)}\n`);
  print(fittedTable(['relay', 'state and limits'], relays.map(relayRow)));
  print(`${quorum} of ${relays.length} must hold a document\n`);
  if (documents.length === 0) print('no machines; is "queries.machines" right?');
  else showDocuments(documents);
  print(
    `${counts.publish} to publish (${planned.toSign} to sign), ${counts.unchanged} unchanged, ${counts['no state']} without state, ${counts.invalid} invalid`,
  );
  const types = new Set(documents.flatMap(({ failure }) => failure?.type ?? []));
  for (const { type, message } of problems) print(paragraph(`error: ${type}: ${message}`));
  for (const type of new Set([...problems.map((problem) => problem.type), ...types]))
    print(paragraph(forOperator(`remedy for ${type}: ${remedyFor(type)}`, operatorUserId)));
}

function showDocuments(documents: ForeseenDocument[]): void {
  const shown = documents.filter(({ action }, index) => action === 'invalid' || index < MAX_ROWS);
  const sections = byMachine(shown, (document) => [
    document.documentType,
    document.action,
    sizeOf(document),
    document.failure
      ? `${document.failure.type}: ${withoutName(document.because, document)}`
      : document.because,
  ]);
  print(sectionedTable(['document type', 'plan', 'state/event B', 'because'], sections));
  if (shown.length < documents.length)
    print(`and ${documents.length - shown.length} more, none of them invalid; all with --json`);
  print('');
}

/** Of the state, and of the message in which it travels. */
function sizeOf({ plaintextBytes, eventBytes }: ForeseenDocument): string {
  return plaintextBytes === undefined ? '' : `${plaintextBytes}/${eventBytes}`;
}

function signerLine({ signer, toSign }: RepublishPlan): string {
  if (signer === null) return 'none';
  const key = signer.matchesAccount
    ? "signs as the account's key"
    : `signs as ${short(signer.pubkey)}, which is not the account's key`;
  const answer =
    signer.answers === null
      ? toSign === 0
        ? 'not asked: nothing is to be signed'
        : 'not asked'
      : signer.answers
        ? 'answers'
        : 'does not answer as it should';
  return `${signer.kind}; ${key}; ${answer}`;
}

function relayRow(facts: RelayFacts): string[] {
  const { relay, reachable, problem, limits, gateway } = facts;
  const state = reachable ? (problem ?? 'reachable') : `unreachable: ${problem}`;
  if (limits === undefined) return [relay, reachable && !gateway ? `${state}; names no limits` : state];
  const told = [
    limits.maxMessageBytes === undefined ? [] : `message ${limits.maxMessageBytes} B`,
    limits.maxContentChars === undefined ? [] : `content ${limits.maxContentChars} characters`,
    limits.maxAheadS === undefined ? [] : `${limits.maxAheadS} s ahead`,
    limits.authRequired ? 'authentication' : [],
  ].flat();
  return [relay, [state, told.join(', ')].filter((part) => part !== '').join('; ')];
}
