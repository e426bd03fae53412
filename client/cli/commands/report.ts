import type { Command } from 'commander';
import type { AskTemporal, Report } from '../../../inspection/report/model';
import { print, printJson, say } from '../output';

export function registerReport(program: Command): void {
  program
    .command('report')
    .summary('write a page about a run or a fleet, to look at and to send')
    .description(
      'Shows on one page what was requested, the outcome of each machine and document, who intervened, and each failure with its remedy. A run that has not ended is shown as it is now. The page is one file, without a script and without anything from elsewhere; it has no secret and no state of a machine.\nWithout --html it prints the sentence at the top of the page, what to do, and what went wrong.',
    )
    .argument(
      '<operator-or-run>',
      "an operator's user id (the newest run), the run id of a run or of a fleet, or `fleet` for the newest fleet",
    )
    .option('--html <file>', 'the page, into this file (- is stdout); an earlier report is written over')
    .option('--json', 'as JSON on stdout')
    .addHelpText('before', 'Example: republish report 8f3c2b --html report.html\n')
    .action(report);
}

async function report(subject: string, options: { html?: string; json?: true }): Promise<void> {
  const { withReadOnlyDatabase } = await import('../database.js');
  const { report: reportOf } = await import('../../../inspection/report.js');
  const { UsageError } = await import('../fail.js');
  if (options.json && options.html !== undefined) throw new UsageError('give either --html or --json');
  const { temporal, close } = await temporalWhenAsked();
  try {
    const told = await withReadOnlyDatabase((db) =>
      reportOf({ db, temporal, now: () => new Date() }, subject),
    );
    if (told.temporalAway !== null)
      say(
        `warning: Temporal could not be asked, so a newer ${told.kind} may not be in this report: ${told.temporalAway}`,
      );
    if (options.json) return printJson(told);
    if (options.html !== undefined) return await writeHtml(told, options.html);
    const { summaryOf } = await import('../report/summary.js');
    print(summaryOf(told));
  } finally {
    await close();
  }
}

async function writeHtml(told: Report, file: string): Promise<void> {
  const { runPage } = await import('../report/run-page.js');
  const { fleetPage } = await import('../report/fleet-page.js');
  const page = told.kind === 'run' ? runPage(told) : fleetPage(told);
  if (file === '-') {
    const { Readable } = await import('node:stream');
    const { pipeline } = await import('node:stream/promises');
    return pipeline(Readable.from(page), process.stdout, { end: false });
  }
  const { writePage } = await import('../report/write.js');
  await writePage(file, page);
  say(`${told.verdict.sentence}\nwritten to ${file}`);
}

/** Connects to Temporal with the first question: a run that has its audit needs no Temporal. */
async function temporalWhenAsked(): Promise<{ temporal: AskTemporal; close(): Promise<void> }> {
  const { askTemporal } = await import('../../ask-temporal.js');
  let opened: ReturnType<typeof open> | undefined;
  const open = async () => {
    const { connect } = await import('../../connect.js');
    return connect();
  };
  return {
    temporal: askTemporal(async () => (await (opened ??= open())).client),
    async close() {
      const client = await opened?.catch(() => undefined);
      await client?.close();
    },
  };
}
