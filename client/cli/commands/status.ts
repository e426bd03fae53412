import type { Command } from 'commander';
import type { RepublishRun } from '../../run';
import { inColour, print, printJson } from '../output';
import { paragraph } from '../terminal/table';

export function registerStatus(program: Command): void {
  program
    .command('status')
    .summary("show an operator's newest run")
    .description(
      'Shows the newest run of an operator once: how far it is, what is being retried, what it waits for.\n`republish watch` keeps it in sight.',
    )
    .argument('<operator>', "the operator's user id (accounts.id in LNbits)")
    .option('--json', 'as JSON on stdout')
    .addHelpText('before', 'Example: republish status 8f3c2b\n')
    .action(status);
}

/** Lines are not cut where the output is no terminal. */
const NO_LIMIT = 10_000;
const MAX_LISTED = 20;
/** Each list has at least so many entries, on any screen. */
const LEAST_LISTED = 2;
/** The start time, the other commands, and the prompt. */
const LINES_BELOW = 5;

async function status(operator: string, { json }: { json?: true }): Promise<void> {
  const { connect, findRepublish } = await import('../../index.js');
  const { runView } = await import('../run-view/view.js');
  const { paint } = await import('../terminal/paint.js');
  const { commandLine } = await import('../command-lines.js');
  const { completeBut, endedOn } = await import('../run-view/outcome.js');
  const { client, close } = await connect();
  try {
    const run = await findRepublish(client, operator);
    const seen = await run.status();
    const failure = seen.closedAt === null ? null : await failureOf(run);
    if (json) return printJson({ ...seen, failure });
    const { columns, rows } = process.stdout;
    const ended = failure === null ? undefined : endedOn(failure, { progress: seen.progress, operator });
    const shownWith = (maxListed: number, withoutTypes = false) =>
      runView(seen, operator, {
        ...{ columns: columns ?? NO_LIMIT, nowMs: Date.now(), maxListed, ended, withoutTypes },
      });
    // The first line has the state of the run: lists get shorter so that it stays on the screen.
    const room = (rows ?? NO_LIMIT) - LINES_BELOW;
    let maxListed = MAX_LISTED;
    while (maxListed > LEAST_LISTED && shownWith(maxListed).length > room) maxListed -= 1;
    for (const line of shownWith(maxListed, shownWith(maxListed).length > room))
      process.stdout.write(`${paint(line, columns ?? NO_LIMIT, inColour(process.stdout))}\n`);
    if (seen.outcome === 'complete' && seen.progress !== null)
      for (const text of completeBut(seen.progress, seen.runId)) print(`\n${paragraph(text)}`);
    const when = `started ${seen.startedAt}${seen.closedAt ? `, ended ${seen.closedAt}` : ''}`;
    print(`\n${paragraph(`workflow ${seen.workflowId}, ${when}`)}`);
    print(`see also: ${commandLine(seen.closedAt === null ? 'watch' : 'audit', operator)}`);
  } finally {
    await close();
  }
}

export async function failureOf(
  run: RepublishRun,
): Promise<{ type: string; message: string; remedy: string } | null> {
  const { RepublishFailed } = await import('../../index.js');
  try {
    await run.result();
    return null;
  } catch (error) {
    if (!(error instanceof RepublishFailed)) throw error;
    const { type, message, remedy } = error;
    return { type, message, remedy };
  }
}
