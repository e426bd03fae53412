import { userInfo } from 'node:os';
import type { Client } from '@temporalio/client';
import type { Command } from 'commander';
import type { ControlRequest, UpdateName } from '../../contract/control';
import type { ChainStatus } from '../chain-status';
import type { FailureType, Subject } from '../../contract/failures';
import type { Cancellation } from '../control';
import type { FleetControlled } from '../fleet';
import type { Handle } from '../handle';
import { commandLine } from './command-lines';
import { EXIT } from './exit-codes';
import { printJson, say, sayEach } from './output';

export interface ControlOptions {
  reason?: string;
  by?: string;
  json?: true;
}

/** One control of a run or a fleet, and the words for it. */
export interface Control {
  handle: Handle<unknown, ChainStatus<unknown>, unknown>;
  /** Sends it. */
  send(request: ControlRequest): Promise<ControlAnswer>;
  subject: Subject;
  /** Name of the number in JSON. */
  counted: 'documents' | 'operators';
  /** Tells that it was done. */
  done(count: number): string;
  /** The command that ends what cannot be cancelled. */
  endCommand: string;
  /** The remedy for a failure of this run or fleet. */
  remedyFor(type: FailureType): string;
  /** For what it waits while a worker is there. */
  waitsFor: string;
}

/** A number of documents, the runs of a fleet that it reached, or what happened to a cancellation. */
type ControlAnswer = number | void | (Partial<Cancellation> & Partial<FleetControlled>);

/** Registers a command that controls a run or a fleet. */
export function controlCommand(
  parent: Command,
  name: UpdateName,
  { summary, workflowId, example }: { summary: string; workflowId: string; example: string },
): Command {
  return parent
    .command(name)
    .summary(summary)
    .description(
      `${summary[0]?.toUpperCase()}${summary.slice(1)}.\nThe same from Temporal's own CLI: temporal workflow update execute --workflow-id ${workflowId} --name ${name}`,
    )
    .option('--reason <text>', 'why, for the audit')
    .option('--by <name>', 'who, for the audit (default: the user of this machine)')
    .option('--json', 'as JSON on stdout')
    .addHelpText('before', `Example: ${example}\n`);
}

/** Sends a control and shows the answer. */
export async function sendControl(
  prepare: (client: Client) => Promise<Control>,
  options: ControlOptions,
): Promise<void> {
  const { connect } = await import('../index.js');
  const { client, close } = await connect();
  let silence: NodeJS.Timeout | undefined;
  try {
    const control = await prepare(client);
    // Only a worker can take an update. A command that shows nothing for a minute looks broken.
    silence = setTimeout(() => void sayWhyItWaits(control), SILENT_MS);
    const answer = (await control.send(controlRequest(options))) ?? null;
    const { workflowId, runId } = control.handle;
    if (typeof answer !== 'object' || answer === null) {
      if (options.json) printJson({ workflowId, runId, [control.counted]: answer });
      else say(control.done(answer ?? 0));
      return;
    }
    if (options.json) printJson({ workflowId, runId, [control.counted]: null, ...answer });
    await tellAnswer(control, answer, options.json === true);
  } finally {
    clearTimeout(silence);
    await close();
  }
}

/** Who asks and why, as the audit keeps it. */
export function controlRequest({ by, reason }: Pick<ControlOptions, 'by' | 'reason'>): ControlRequest {
  return { by: by ?? userName(), ...(reason ? { reason } : {}) };
}

/** Longer than a worker that is there takes to answer. */
const SILENT_MS = 5_000;

async function sayWhyItWaits({ handle, waitsFor }: Control): Promise<void> {
  const obstacle = await handle.obstacle().catch(() => null);
  const why = obstacle === null ? waitsFor : `${obstacle.type}: ${obstacle.message}`;
  say(`no answer yet: ${why}. Asking on (Ctrl-C ends this)`);
}

/** A cancellation that no worker took: nothing has ended yet, and a person must know that. */
async function tellAnswer(
  { subject, done, endCommand, remedyFor }: Control,
  { takenBy, obstacle = null, operators = 0, unanswered = [] }: Exclude<ControlAnswer, number | void>,
  isJson: boolean,
): Promise<void> {
  const kept =
    'Temporal keeps the cancellation for the next worker. The audit will not show who asked, or why';
  if (obstacle === null) {
    if (takenBy === 'Temporal') say(`no worker took the cancellation. ${kept}`);
    const isWaiting = takenBy !== undefined && unanswered.length > 0;
    if (isWaiting) {
      say(`not ended yet: the ${subject} is cancelled, and waits for the end of runs that did not answer`);
      process.exitCode = EXIT.failed;
    } else if (!isJson) say(done(operators));
    tellUnanswered(unanswered);
    return;
  }
  const { type, message } = obstacle;
  // The obstacle first, then its consequences.
  say(
    `not ended yet: ${type}: ${message}\n${kept}.\nremedy: ${remedyFor(type)}\nTo end the ${subject} now, without a worker: ${endCommand}`,
  );
  process.exitCode = EXIT.failed;
}

/** A run that did not answer may be slow, or no worker can continue it: its status tells which. */
function tellUnanswered(operators: readonly string[]): void {
  sayEach(
    operators,
    (operator) =>
      `${operator} did not answer: its run may take it later. See why: ${commandLine('status', operator)}; ` +
      `to end its run as it is: ${commandLine('end', operator)}`,
    (count) => `and ${count} more did not answer`,
  );
}

/** A user id without a name, as in a container, throws. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return 'unknown';
  }
}
