import type { Command } from 'commander';
import type { FleetInput, FleetUpdateName } from '../../../contract/fleet';
import { remedyFor } from '../../../contract/failures';
import type { Obstacle } from '../../../contract/obstacle';
import type { FleetRun } from '../../fleet';
import { EXIT, exitCodeFor } from '../exit-codes';
import { requireOperatorIds } from '../ids';
import { forcing, resetCountsOption } from '../options';
import { compareIds } from '../../../rules/machine-name';
import { forFleet } from '../../../rules/shell';
import { print, printJson, say } from '../output';
import { paragraph } from '../terminal/table';
import { beginning, otherRequestOf } from '../waiting';
import { AuditNotFound } from './audit';
import { userName } from './control';
import { registerFleetEnd } from './fleet-end';
import { registerFleetInspection } from './fleet-inspection';
import { fleetLine, inOrder, showFleetAudit, showSummary, unfinished, waitLine } from './fleet-output';

interface StartOptions {
  all?: true;
  fromFile?: string;
  atOnce?: string;
  documentType?: string[];
  reason?: string;
  force?: true;
  resetCounts?: true;
  hold?: true;
  wait: boolean;
  attach?: true;
  json?: true;
}

/** What each command says when the fleet has taken it. */
const DONE: Record<FleetUpdateName, (runs: string) => string> = {
  pause: (runs) => `paused, with ${runs} in work. Go on with: republish fleet resume`,
  resume: (runs) => `the fleet goes on, with ${runs} that it had paused`,
  cancel: (runs) =>
    `cancelled, with ${runs} in work: what is signed is finished, then the audits are written; see: republish fleet audit`,
};

export function registerFleet(program: Command): void {
  const fleet = program
    .command('fleet')
    .summary('republish the documents of many operators')
    .description(
      'Republishes the documents of many operators: a run for each, so many at once. Operators who fail do not stop the others.\nExit codes of start: 0 all complete, 3 some are not, 1 the fleet itself failed or was cancelled.',
    )
    .addHelpText('before', 'Example: republish fleet start 8f3c2b 11aa90\n');
  fleet
    .command('start')
    .summary('start a fleet and wait for the end')
    .description(
      'Starts a fleet and waits for its end. While a fleet of the same request goes on, it attaches to that one. One that was asked for something else is waited for, and this one follows: --no-wait refuses then (exit code 1), --attach follows the other one.\n--all means whom "queries.operators" names; without such a query all operators with a stored signer, or, with signers "lnbits", all who have a machine.',
    )
    .argument('[operators...]', "the operators' user ids")
    .option('--all', 'all operators')
    .option('--from-file <path>', 'operators from a file, one a line (- reads standard input)')
    .option('--at-once <n>', 'runs that go on at once, 1 to 200 (default: 16)')
    .option('--document-type <type...>', 'only these document types')
    .option('--reason <text>', 'why, for the audits')
    .option('--force', 'sign anew also what is published and unchanged')
    .addOption(resetCountsOption())
    .option(
      '--hold',
      'runs with failed documents wait until somebody retries or skips them, and keep their place',
    )
    .option('--no-wait', 'start and return; refused while a fleet of another request goes on')
    .option('--attach', 'follow the fleet that goes on, also if it was asked for something else')
    .option('--json', 'the summary as JSON on stdout, messages on stderr')
    .addHelpText('before', 'Example: republish fleet start 8f3c2b 11aa90 --reason "moved to bunkers"\n')
    .action(start);
  fleet
    .command('status')
    .summary('show the newest fleet')
    .description('Shows the newest fleet: whether it goes on, who is in work, who is not complete.')
    .option('--json', 'as JSON on stdout')
    .addHelpText('before', 'Example: republish fleet status\n')
    .action(status);
  registerFleetInspection(fleet);
  registerControl(fleet, 'pause', 'begin no further operator, and pause the runs that go on');
  registerControl(fleet, 'resume', 'go on with a paused fleet');
  registerControl(fleet, 'cancel', 'end a fleet: cancel the runs that go on, begin no other');
  registerFleetEnd(fleet);
  fleet
    .command('audit')
    .summary('show what fleets have done')
    .description('Shows the audit of a fleet by its run id, or the newest fleets.')
    .argument('[run]', 'the run id of a fleet')
    .option('--limit <n>', 'at most so many fleets', '10')
    .option('--json', 'as JSON on stdout: a list of audit rows, newest first')
    .addHelpText('before', 'Example: republish fleet audit\n')
    .action(audit);
}

function registerControl(fleet: Command, name: FleetUpdateName, summary: string): void {
  fleet
    .command(name)
    .summary(summary)
    .description(
      `${summary[0]?.toUpperCase()}${summary.slice(1)}.\nThe same from Temporal's own CLI: temporal workflow update execute --workflow-id republish-fleet --name ${name}`,
    )
    .option('--reason <text>', 'why, for the audits')
    .option('--by <name>', 'who, for the audits (default: the user of this machine)')
    .option('--json', 'as JSON on stdout')
    .addHelpText('before', `Example: republish fleet ${name}\n`)
    .action((options: { reason?: string; by?: string; json?: true }) => control(name, options));
}

async function start(named: string[], options: StartOptions): Promise<void> {
  const input = await fleetInput(named, options);
  const { connect, startFleet } = await import('../../index.js');
  const { client, close } = await connect();
  try {
    const otherRequest = otherRequestOf(options);
    const fleet = await beginning(
      (waiting) => startFleet(client, { ...input, otherRequest, ...waiting }),
      'To see it: republish fleet status; to end it: republish fleet cancel',
    );
    if (fleet === undefined) return;
    say(howItBegan(fleet));
    if (options.wait) return await waitForEnd(fleet, options.json === true);
    const { workflowId, runId, attached, differs } = fleet;
    if (options.json) printJson({ workflowId, runId, attached, differs });
  } finally {
    await close();
  }
}

function howItBegan({ workflowId, runId, attached, differs }: FleetRun): string {
  if (!attached) return `started ${workflowId} (run ${runId})`;
  return differs.length === 0
    ? `attached to the fleet of the same request that goes on already (run ${runId})`
    : `attached to the fleet of another request that goes on already (${differs.join('; ')}; run ${runId}): what follows is its summary`;
}

async function fleetInput(named: string[], options: StartOptions): Promise<FleetInput> {
  const { UsageError } = await import('../fail.js');
  const { problemsOfFleetInput } = await import('../../../rules/fleet-input.js');
  const operators = await selectedOperators(named, options);
  const input: FleetInput = {
    ...(operators === undefined ? { all: true } : { operators }),
    ...(options.atOnce === undefined ? {} : { operatorsAtOnce: Number(options.atOnce) }),
    ...(options.documentType ? { documentTypes: options.documentType } : {}),
    ...(options.reason ? { reason: options.reason } : {}),
    ...forcing(options),
    ...(options.hold ? { onFailure: 'hold' } : {}),
  };
  const problems = problemsOfFleetInput(input);
  if (problems.length > 0) throw new UsageError(problems.join('; '));
  return input;
}

/** Those who are named, on the command line or in a file; undefined: all. @throws UsageError */
export async function selectedOperators(
  named: string[],
  options: { all?: true; fromFile?: string },
): Promise<string[] | undefined> {
  const { UsageError } = await import('../fail.js');
  const operators = [
    ...named,
    ...(options.fromFile === undefined ? [] : await operatorsFrom(options.fromFile)),
  ];
  requireOperatorIds(operators);
  if (options.all && operators.length > 0) throw new UsageError('give either operators or --all');
  if (options.all) return undefined;
  if (operators.length === 0) throw new UsageError('name operators, a file with --from-file, or --all');
  return operators;
}

/** One a line; what follows a # is a remark. */
async function operatorsFrom(file: string): Promise<string[]> {
  const { readFile } = await import('node:fs/promises');
  const { UsageError } = await import('../fail.js');
  const { text: wholeOf } = await import('node:stream/consumers');
  const reading = file === '-' ? wholeOf(process.stdin) : readFile(file, 'utf8');
  const text = await reading.catch(() => {
    throw new UsageError(`${file} cannot be read`);
  });
  return text
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '');
}

async function waitForEnd(fleet: FleetRun, json: boolean): Promise<void> {
  const { RepublishFailed } = await import('../../index.js');
  const { leaveDataFolder, runRestsWithoutUs } = await import('../data-folder.js');
  const detach = (): void => {
    say(
      runRestsWithoutUs()
        ? '\nstopping: documents in work are finished, and the fleet rests. Go on with the same command'
        : '\ndetached; the fleet goes on. Come back with: republish fleet status',
    );
    void leaveDataFolder().finally(() => process.exit(EXIT.detached));
  };
  process.once('SIGINT', detach);
  const stopSaying = sayProgress(fleet);
  try {
    const summary = await fleet.result();
    if (json) printJson(summary);
    else showSummary(summary);
    process.exitCode = unfinished(summary.operators) === 0 ? EXIT.ok : EXIT.partlyDone;
  } catch (error) {
    if (!(error instanceof RepublishFailed)) throw error;
    say(`error: ${error.type}: ${error.message}; see: republish fleet audit ${fleet.runId}`);
    process.exitCode = error.type === 'InvalidInput' ? exitCodeFor(error.type) : EXIT.failed;
  } finally {
    stopSaying();
    process.removeListener('SIGINT', detach);
  }
}

/** A line whenever the counts have changed, or who waits for somebody else's run; at most once a second. */
function sayProgress(fleet: FleetRun): () => void {
  let last: string[] = [];
  let stopped = false;
  const look = async (): Promise<void> => {
    const { progress, waitsFor } = await fleet.status().catch(() => ({ progress: null, waitsFor: [] }));
    if (stopped || progress === null || progress.phase === 'done') return;
    const lines = [fleetLine(progress), ...waitsFor.map(waitLine)];
    for (const line of lines) if (!last.includes(line)) say(line);
    last = lines;
  };
  const timer = setInterval(() => void look(), 1_000);
  return () => {
    stopped = true;
    clearInterval(timer);
  };
}

async function status({ json }: { json?: true }): Promise<void> {
  const { connect, findFleet } = await import('../../index.js');
  const { client, close } = await connect();
  try {
    const fleet = await findFleet(client);
    const { workflowId, runId } = fleet;
    const facts = await fleet.status();
    if (json) return printJson({ workflowId, runId, ...facts });
    print(
      `${workflowId}\nrun ${runId}\n${facts.status}${facts.closedAt ? `, ended ${facts.closedAt}` : ''}\n`,
    );
    if (facts.obstacle !== null) sayObstacle(facts.obstacle);
    else if (facts.progress === null)
      say(`no worker answers on task queue ${facts.taskQueue}: the counts need one`);
    if (facts.progress === null) return;
    const { atWork, failures } = facts.progress;
    print(fleetLine(facts.progress));
    if (atWork.length > 0) print(paragraph(`in work: ${atWork.toSorted(compareIds).join(', ')}`));
    for (const waits of facts.waitsFor) print(paragraph(waitLine(waits)));
    for (const { operatorUserId, outcome, failure } of inOrder(failures))
      print(
        paragraph(`${outcome}: ${operatorUserId}${failure ? `: ${failure.type}: ${failure.message}` : ''}`),
      );
  } finally {
    await close();
  }
}

async function control(
  name: FleetUpdateName,
  options: { reason?: string; by?: string; json?: true },
): Promise<void> {
  const { connect, findFleet } = await import('../../index.js');
  const { client, close } = await connect();
  try {
    const fleet = await findFleet(client);
    const { workflowId, runId } = fleet;
    const answer = await fleet[name]({
      by: options.by ?? userName(),
      ...(options.reason ? { reason: options.reason } : {}),
    });
    const told = typeof answer === 'number' ? { operators: answer } : answer;
    const { operators } = told;
    if (options.json) printJson({ workflowId, runId, ...told });
    if (typeof answer === 'object' && answer.obstacle !== null) return sayNotEnded(answer.obstacle);
    if (!options.json) say(DONE[name](`${operators} run${operators === 1 ? '' : 's'}`));
  } finally {
    await close();
  }
}

function sayObstacle({ type, message }: Obstacle): void {
  say(`${type}: ${message}\nremedy: ${forFleet(remedyFor(type))}`);
}

/**
 * It could not be asked: Temporal has the cancellation. Its runs are not told, and each has a cancel of its
 * own.
 */
function sayNotEnded(obstacle: Obstacle): void {
  sayObstacle(obstacle);
  say(
    'not ended yet: Temporal has the cancellation, and the fleet takes it as soon as a worker goes on with it. Only this ends it as it is: republish fleet end',
  );
  process.exitCode = EXIT.failed;
}

async function audit(run: string | undefined, options: { limit: string; json?: true }): Promise<void> {
  const { withDatabase } = await import('../database.js');
  const { auditOfFleet, fleetAudits } = await import('../../../database/fleets.js');
  const { UsageError } = await import('../fail.js');
  const limit = Number(options.limit);
  if (!Number.isInteger(limit) || limit < 1) throw new UsageError('--limit must be a whole number from 1');
  const rows = await withDatabase(async (database) => {
    if (run === undefined) return fleetAudits(database, limit);
    const row = await auditOfFleet(database, run);
    if (row === undefined) throw new AuditNotFound(`fleet ${run}`);
    return [row];
  });
  if (options.json) return printJson(rows);
  if (rows.length === 0) return print('no audit of a fleet; see: republish fleet status');
  for (const row of rows) showFleetAudit(row);
}
