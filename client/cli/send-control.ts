import { userInfo } from 'node:os';
import type { Client } from '@temporalio/client';
import type { Command } from 'commander';
import type { ControlRequest, UpdateName } from '../../contract/control';
import type { ChainStatus } from '../chain-status';
import type { FailureType, Subject } from '../../contract/failures';
import type { Cancellation } from '../control';
import type { Handle } from '../handle';
import { EXIT } from './exit-codes';
import { printJson, say } from './output';

export interface ControlOptions {
  reason?: string;
  by?: string;
  json?: true;
}

/** One control of a run or a fleet, and the words for it. */
export interface Control {
  handle: Handle<unknown, ChainStatus<unknown>, unknown>;
  /** Sends it. @returns a number of documents or operators, or what happened to a cancellation */
  send(request: ControlRequest): Promise<number | void | (Cancellation & { operators?: number })>;
  subject: Subject;
  /** Name of the number in JSON. */
  counted: 'documents' | 'operators';
  /** Tells that it was done. */
  done(count: number): string;
  /** The command that ends what cannot be cancelled. */
  endCommand: string;
  /** The remedy for a failure of this run or fleet. */
  remedyFor(type: FailureType): string;
}

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
    await tellCancelled(control, answer, options.json === true);
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

async function sayWhyItWaits({ handle }: Control): Promise<void> {
  const obstacle = await handle.obstacle().catch(() => null);
  const why = obstacle === null ? 'a worker has to take it' : `${obstacle.type}: ${obstacle.message}`;
  say(`no answer yet: ${why}. Asking on (Ctrl-C ends this)`);
}

/** A cancellation that no worker took: nothing has ended yet, and a person must know that. */
async function tellCancelled(
  { subject, done, endCommand, remedyFor }: Control,
  { takenBy, obstacle, operators = 0 }: Cancellation & { operators?: number },
  isJson: boolean,
): Promise<void> {
  const kept =
    'Temporal keeps the cancellation for the next worker. The audit will not show who asked, or why';
  if (obstacle === null) {
    if (takenBy === 'Temporal') say(`no worker took the cancellation. ${kept}`);
    if (!isJson) say(done(operators));
    return;
  }
  const { type, message } = obstacle;
  // The obstacle first, then its consequences.
  say(
    `not ended yet: ${type}: ${message}\n${kept}.\nremedy: ${remedyFor(type)}\nTo end the ${subject} now, without a worker: ${endCommand}`,
  );
  process.exitCode = EXIT.failed;
}

/** A user id without a name, as in a container, throws. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return 'unknown';
  }
}
