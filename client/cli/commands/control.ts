import { userInfo } from 'node:os';
import type { Command } from 'commander';
import type { UpdateName } from '../../../contract/control';
import { machineOf } from '../../../rules/machine-name';
import type { Cancellation } from '../../control';
import type { RepublishRun } from '../../run';
import { EXIT } from '../exit-codes';
import { printJson, say } from '../output';
import { command, remedyAs } from '../run-view/commands';

interface ControlOptions {
  documentType?: string;
  machine?: string;
  by?: string;
  reason?: string;
  json?: true;
}

/** What was asked, and what became of it. */
interface Taken {
  operator: string;
  documents: number;
  /** ` of bitspire-fees of machine Front desk (m1)`, as it was selected; empty: all of it. */
  of: string;
}

/** What each command says when the run has taken it. */
const DONE: Record<UpdateName, (taken: Taken) => string> = {
  pause: ({ operator }) => `paused: what is signed is finished. Go on with: ${command('resume', operator)}`,
  resume: () => 'the run goes on',
  retry: ({ documents, of, operator }) => {
    if (documents > 0)
      return documents === 1
        ? `1 document${of} is tried again`
        : `${documents} documents${of} are tried again`;
    return of === ''
      ? `what stopped the run is tried again; see: ${command('status', operator)}`
      : `no document${of} has failed or meets with trouble; see: ${command('status', operator)}`;
  },
  skip: ({ documents, of }) =>
    documents === 0
      ? `no document${of} was given up: what is published stays`
      : documents === 1
        ? `1 document${of} was given up`
        : `${documents} documents${of} were given up`,
  cancel: ({ operator }) =>
    `cancelled: what is signed is finished, then the audit is written; see: ${command('audit', operator)}`,
};

/** The commands that speak to a run that goes on. */
export function registerControl(program: Command): void {
  register(program, 'pause', 'begin no further document until resume');
  register(program, 'resume', 'go on with a paused run');
  selecting(register(program, 'retry', 'try failed documents again now'), 'default: all that failed');
  selecting(
    register(program, 'skip', 'give up documents that are not published'),
    'may be left out when the run holds: then all that are left',
  );
  register(program, 'cancel', 'end a run: finish what is in work, leave the rest, write the audit');
}

function register(program: Command, name: UpdateName, summary: string): Command {
  return program
    .command(name)
    .summary(summary)
    .description(
      `${summary[0]?.toUpperCase()}${summary.slice(1)}.\nThe same from Temporal's own CLI: temporal workflow update execute --workflow-id republish-operator-configs/<operator> --name ${name}`,
    )
    .argument('<operator>', "the operator's user id")
    .option('--reason <text>', 'why, for the audit')
    .option('--by <name>', 'who, for the audit (default: the user of this machine)')
    .option('--json', 'as JSON on stdout')
    .addHelpText('before', `Example: republish ${name} 8f3c2b\n`)
    .action((operator: string, options: ControlOptions) => control(name, operator, options));
}

function selecting(subcommand: Command, byDefault: string): Command {
  return subcommand
    .option('--document-type <type>', `only this document type (${byDefault})`)
    .option('--machine <id>', 'only this machine');
}

async function control(name: UpdateName, operator: string, options: ControlOptions): Promise<void> {
  const { connect, findRepublish } = await import('../../index.js');
  const { client, close } = await connect();
  let waiting: NodeJS.Timeout | undefined;
  try {
    const run = await findRepublish(client, operator);
    // Only a worker can take it, and a command that says nothing for minutes looks broken.
    waiting = setTimeout(() => void sayWhatItWaitsFor(run), SILENT_MS);
    const { workflowId, runId } = run;
    const of = await selectionOf(run, options);
    const answer = await run[name]({
      by: options.by ?? userName(),
      ...(options.reason ? { reason: options.reason } : {}),
      ...(options.documentType ? { documentType: options.documentType } : {}),
      ...(options.machine ? { machineId: options.machine } : {}),
    });
    if (typeof answer === 'object') {
      if (options.json) printJson({ workflowId, runId, documents: null, ...answer });
      return await tellCancelled(answer, operator, options);
    }
    if (options.json) printJson({ workflowId, runId, documents: answer ?? null });
    else say(DONE[name]({ documents: answer ?? 0, operator, of }));
  } finally {
    clearTimeout(waiting);
    await close();
  }
}

async function sayWhatItWaitsFor(run: RepublishRun): Promise<void> {
  const obstacle = await run.obstacle().catch(() => null);
  const why = obstacle === null ? 'a worker has to take it' : `${obstacle.type}: ${obstacle.message}`;
  say(`no answer yet: ${why}. Asking on (Ctrl-C ends this)`);
}

/** A run that could not be asked is not ended yet, and somebody has to know. */
async function tellCancelled(
  { takenBy, obstacle }: Cancellation,
  operator: string,
  { json }: ControlOptions,
): Promise<void> {
  const keeps = 'Temporal has its cancellation, without who asked and why';
  if (obstacle === null) {
    if (takenBy === 'Temporal') say(`the run could not be asked; ${keeps}`);
    if (!json) say(DONE.cancel({ documents: 0, operator, of: '' }));
    return;
  }
  const { remedyFor } = await import('../../../contract/failures.js');
  const { type, message } = obstacle;
  // What is in the way first, and then what follows from it.
  say(
    `not ended yet: ${type}: ${message}\n${keeps}: the run is cancelled as soon as a worker goes on with it\nremedy: ${remedyAs(remedyFor(type), operator)}\nOnly this ends it as it is: ${command('end', operator)}`,
  );
  process.exitCode = EXIT.failed;
}

/** With the machine's name, as far as the run has it among what failed or waits: nothing else is retried. */
async function selectionOf(run: RepublishRun, { documentType, machine }: ControlOptions): Promise<string> {
  const ofType = documentType === undefined ? '' : ` of ${documentType}`;
  if (machine === undefined) return ofType;
  const progress = (await run.status().catch(() => undefined))?.progress;
  const named = [...(progress?.failures ?? []), ...(progress?.waiting ?? [])];
  const found = named.find(({ machineId }) => machineId === machine);
  return `${ofType} of machine ${machineOf(found ?? { machineId: machine })}`;
}

/** Longer than a worker that is there takes to answer. */
const SILENT_MS = 5_000;

/** A user id without a name (a container) has none. */
export function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return 'unknown';
  }
}
