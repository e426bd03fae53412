import type { Command } from 'commander';
import type { UpdateName } from '../../../contract/control';
import { remedyFor } from '../../../contract/failures';
import { machineOf } from '../../../rules/machine-name';
import type { RepublishRun } from '../../run';
import { commandLine, completeCommands } from '../command-lines';
import { controlCommand, type ControlOptions, sendControl } from '../send-control';

interface RunControlOptions extends ControlOptions {
  documentType?: string;
  machine?: string;
}

interface Done {
  operator: string;
  documents: number;
  /** The selection, such as ` of bitspire-fees of machine Front desk (m1)`; empty: all documents. */
  of: string;
}

/** What each command says when the run has taken it. */
const DONE: Record<UpdateName, (done: Done) => string> = {
  pause: ({ operator }) =>
    `paused: what is signed is finished. Go on with: ${commandLine('resume', operator)}`,
  resume: () => 'the run continues',
  retry: ({ documents, of, operator }) => {
    if (documents > 0)
      return documents === 1
        ? `1 document${of} is tried again`
        : `${documents} documents${of} are tried again`;
    return of === ''
      ? 'no failed document can be tried again in this run; a failed step is tried again; see: ' +
          commandLine('status', operator)
      : `no document${of} has failed or has trouble; see: ${commandLine('status', operator)}`;
  },
  skip: ({ documents, of }) =>
    documents === 0
      ? `no document${of} was given up: what is published stays`
      : documents === 1
        ? `1 document${of} was given up`
        : `${documents} documents${of} were given up`,
  cancel: ({ operator }) =>
    `cancelled: what is signed is finished, then the audit is written; see: ${commandLine('audit', operator)}`,
};

/** The commands that control a run. */
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
  const words = {
    summary,
    workflowId: 'republish-operator-configs/<operator>',
    example: `republish ${name} 8f3c2b`,
  };
  return controlCommand(program, name, words)
    .argument('<operator>', "the operator's user id (accounts.id in LNbits)")
    .action((operator: string, options: RunControlOptions) => control(name, operator, options));
}

function selecting(subcommand: Command, byDefault: string): Command {
  return subcommand
    .option('--document-type <type>', `only this document type (${byDefault})`)
    .option('--machine <id>', 'only this machine');
}

async function control(name: UpdateName, operator: string, options: RunControlOptions): Promise<void> {
  const { findRepublish } = await import('../../index.js');
  await sendControl(async (client) => {
    const run = await findRepublish(client, operator);
    const of = await selectionOf(run, options);
    const selection = {
      ...(options.documentType ? { documentType: options.documentType } : {}),
      ...(options.machine ? { machineId: options.machine } : {}),
    };
    return {
      handle: run,
      send: (request) => run[name]({ ...request, ...selection }),
      subject: 'run',
      counted: 'documents',
      done: (documents) => DONE[name]({ documents, operator, of }),
      endCommand: commandLine('end', operator),
      remedyFor: (type) => completeCommands(remedyFor(type), operator),
      waitsFor: 'a worker has to take it',
    };
  }, options);
}

/** With the name of the machine, which the progress has for documents that failed or wait. */
async function selectionOf(run: RepublishRun, { documentType, machine }: RunControlOptions): Promise<string> {
  const ofType = documentType === undefined ? '' : ` of ${documentType}`;
  if (machine === undefined) return ofType;
  const progress = (await run.status().catch(() => undefined))?.progress;
  const named = [...(progress?.failures ?? []), ...(progress?.waiting ?? [])];
  const found = named.find(({ machineId }) => machineId === machine);
  return `${ofType} of machine ${machineOf(found ?? { machineId: machine })}`;
}
