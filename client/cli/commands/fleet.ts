import type { Command } from 'commander';
import type { FleetInput } from '../../../contract/fleet';
import { remedyFor } from '../../../contract/failures';
import type { Obstacle } from '../../../contract/obstacle';
import type { FleetRun, FleetStatus } from '../../fleet';
import type { OperatorObstacle } from '../../fleet-obstacles';
import { EXIT, exitCodeFor } from '../exit-codes';
import { requireOperatorIds } from '../ids';
import { forceOptions, resetCountsOption } from '../options';
import { countIncomplete } from '../../../rules/how-far';
import { compareIds } from '../../../rules/machine-name';
import { commandLine, completeCommands } from '../command-lines';
import { print, printJson, say } from '../output';
import { onCtrlC } from '../signals';
import { paragraph } from '../terminal/table';
import { beginOrStopWaiting, otherRequestOf } from '../other-request';
import { AuditNotFound } from './audit';
import { registerFleetControl } from './fleet-control';
import { registerFleetEnd } from './fleet-end';
import { registerFleetInspection } from './fleet-inspection';
import {
  completeOf,
  endedFleetLine,
  fleetLine,
  sortedByOperator,
  showFleetAudit,
  showSummary,
  waitLine,
} from './fleet-output';
import { showNewestLast } from './newest-last';

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

export function registerFleet(program: Command): void {
  const fleet = program
    .command('fleet')
    .summary('republish the documents of many operators')
    .description(
      'Republishes the documents of many operators: one run for each, a limited number at a time. Operators who fail do not stop the others.\nExit codes of start: 0 all complete, 3 some are not, 1 the fleet itself failed or was cancelled.',
    )
    .addHelpText('before', 'Example: republish fleet start 8f3c2b 11aa90\n');
  fleet
    .command('start')
    .summary('start a fleet and wait for the end')
    .description(
      'Starts a fleet and waits for its end. While a fleet of the same request is running, it attaches to that one. While a fleet of another request is running, it waits and starts after that one: --no-wait refuses then (exit code 1), --attach follows the other one.\n--all means whom "queries.operators" names; without such a query all operators with a stored signer, or, with signers "lnbits", all who have a machine.',
    )
    .argument('[operators...]', "the operators' user ids")
    .option('--all', 'all operators')
    .option('--from-file <path>', 'operators from a file, one a line (- reads standard input)')
    .option('--at-once <n>', 'number of runs at a time, 1 to 200 (default: 16)')
    .option('--document-type <type...>', 'only these document types')
    .option('--reason <text>', 'why, for the audits')
    .option('--force', 'also sign documents that are published and unchanged')
    .addOption(resetCountsOption())
    .option(
      '--hold',
      'runs with failed documents wait until somebody retries or skips them, and keep their place',
    )
    .option('--no-wait', 'start and return; refused while a fleet of another request is running')
    .option('--attach', 'follow the running fleet, also if it has another request')
    .option('--json', 'the summary as JSON on stdout, messages on stderr')
    .addHelpText('before', 'Example: republish fleet start 8f3c2b 11aa90 --reason "moved to bunkers"\n')
    .action(start);
  fleet
    .command('status')
    .summary('show the newest fleet')
    .description(
      'Shows the newest fleet: whether it is running, which operators are in work, which are not complete.',
    )
    .option('--json', 'as JSON on stdout')
    .addHelpText('before', 'Example: republish fleet status\n')
    .action(status);
  registerFleetInspection(fleet);
  registerFleetControl(fleet);
  registerFleetEnd(fleet);
  fleet
    .command('audit')
    .summary('show what fleets have done')
    .description(
      'Shows the audit of a fleet by its run id, or of the newest fleet. Earlier fleets have a line each.',
    )
    .argument('[run]', 'the run id of a fleet')
    .option('--limit <n>', 'at most so many fleets', '10')
    .option('--full', 'every fleet in full, the newest last')
    .option('--json', 'as JSON on stdout: a list of audit rows, newest first')
    .addHelpText('before', 'Example: republish fleet audit\n')
    .action(audit);
}

async function start(named: string[], options: StartOptions): Promise<void> {
  const input = await fleetInput(named, options);
  const { connect, startFleet } = await import('../../index.js');
  const { client, close } = await connect();
  try {
    const otherRequest = otherRequestOf(options);
    const fleet = await beginOrStopWaiting(
      (waiting) => startFleet(client, { ...input, otherRequest, ...waiting }),
      `To see it: ${commandLine('fleet status')}; to end it: ${commandLine('fleet cancel')}`,
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
    ? `attached to the running fleet of the same request (run ${runId})`
    : `attached to the running fleet of another request (${differs.join('; ')}; run ${runId}): what follows is its summary`;
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
    ...forceOptions(options),
    ...(options.hold ? { onFailure: 'hold' } : {}),
  };
  const problems = problemsOfFleetInput(input);
  if (problems.length > 0) throw new UsageError(problems.join('; '));
  return input;
}

/** The operators of the command line and of the file; undefined: all. @throws UsageError */
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

/** One operator in each line. A comment begins with #. */
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
  let isDetached = false;
  const detach = (): void => {
    if (isDetached) process.exit(EXIT.detached);
    isDetached = true;
    say(
      runRestsWithoutUs()
        ? '\nstopping: documents in work are finished, and the fleet rests. Go on with the same command'
        : `\ndetached; the fleet continues. Come back with: ${commandLine('fleet status')}`,
    );
    void leaveDataFolder().finally(() => process.exit(EXIT.detached));
  };
  const forget = onCtrlC(detach);
  try {
    let last: Line[] = [];
    for await (const status of fleet.watch()) {
      const lines = watchedLines(status);
      for (const { key, text } of lines) if (!last.some((line) => line.key === key)) say(text);
      last = lines;
    }
    const summary = await fleet.result();
    if (json) printJson(summary);
    else showSummary(summary);
    process.exitCode = countIncomplete(summary.operators) === 0 ? EXIT.ok : EXIT.partlyDone;
  } catch (error) {
    if (!(error instanceof RepublishFailed)) throw error;
    say(`error: ${error.type}: ${error.message}; see: ${commandLine('fleet audit', fleet.runId)}`);
    process.exitCode = error.type === 'InvalidInput' ? exitCodeFor(error.type) : EXIT.failed;
  } finally {
    forget();
  }
}

interface Line {
  /** The line is shown when the last look had no line with this key. */
  key: string;
  text: string;
}

/** What is shown of a fleet in work. */
function watchedLines(status: FleetStatus): Line[] {
  const { progress, waitsFor, obstacle, obstacles, unreachableSince, closedAt } = status;
  if (closedAt !== null || progress?.phase === 'done') return [];
  if (unreachableSince !== null)
    return [{ key: 'away', text: 'Temporal does not answer; asking on. The fleet is not affected' }];
  const texts = [...(progress === null ? [] : [fleetLine(progress)]), ...waitsFor.map(waitLine)];
  return [
    // The message of an obstacle counts attempts: it would be a new line at each look.
    ...(obstacle === null ? [] : [{ key: obstacle.type, text: obstacleText(obstacle) }]),
    ...texts.map((text) => ({ key: text, text })),
    ...obstacles.map((each) => ({
      key: `${each.operatorUserId} ${each.type}`,
      text: `${operatorObstacleLine(each)}\n${operatorRemedy(each)}`,
    })),
  ];
}

async function status({ json }: { json?: true }): Promise<void> {
  const { connect, findFleet } = await import('../../index.js');
  const { client, close } = await connect();
  try {
    const fleet = await findFleet(client);
    const { workflowId, runId } = fleet;
    const facts = await fleet.status();
    if (json) return printJson(facts);
    const how = facts.closedAt === null ? 'running' : `${facts.outcome ?? 'ended'}, ended ${facts.closedAt}`;
    print(`${workflowId}\nrun ${runId}\n${how}\n`);
    if (facts.obstacle !== null) say(obstacleText(facts.obstacle));
    else if (facts.progress === null)
      say(`no worker answers on task queue ${facts.taskQueue}: the counts need one`);
    if (facts.progress === null) return;
    const { atWork, failures } = facts.progress;
    const hasEnded = facts.closedAt !== null;
    print(hasEnded ? endedFleetLine(facts.progress) : fleetLine(facts.progress));
    const inWork = hasEnded ? 'in work when the fleet ended' : 'in work';
    if (atWork.length > 0) print(paragraph(`${inWork}: ${atWork.toSorted(compareIds).join(', ')}`));
    for (const waits of facts.waitsFor) print(paragraph(waitLine(waits)));
    for (const each of sortedByOperator(facts.obstacles)) {
      print(paragraph(operatorObstacleLine(each)));
      print(paragraph(operatorRemedy(each)));
    }
    for (const { operatorUserId, outcome, failure } of sortedByOperator(failures))
      print(
        paragraph(`${outcome}: ${operatorUserId}${failure ? `: ${failure.type}: ${failure.message}` : ''}`),
      );
  } finally {
    await close();
  }
}

function operatorObstacleLine({ operatorUserId, type, message }: OperatorObstacle): string {
  return `${operatorUserId} does not move: ${type}: ${message}`;
}

function operatorRemedy({ operatorUserId, type }: OperatorObstacle): string {
  const end = commandLine('end', operatorUserId);
  return `remedy: ${completeCommands(remedyFor(type), operatorUserId)} To end its run as it is: ${end}`;
}

function obstacleText({ type, message }: Obstacle): string {
  return `${type}: ${message}\nremedy: ${completeCommands(remedyFor(type, 'fleet'), undefined)}`;
}

interface AuditOptions {
  limit: string;
  full?: true;
  json?: true;
}

async function audit(run: string | undefined, options: AuditOptions): Promise<void> {
  const { withReadOnlyDatabase } = await import('../database.js');
  const { auditOfFleet, fleetAudits } = await import('../../../database/fleets.js');
  const { UsageError } = await import('../fail.js');
  const limit = Number(options.limit);
  if (!Number.isInteger(limit) || limit < 1) throw new UsageError('--limit must be a whole number from 1');
  const rows = await withReadOnlyDatabase(async (database) => {
    if (run === undefined) return fleetAudits(database, limit);
    const row = await auditOfFleet(database, run);
    if (row === undefined) throw new AuditNotFound(`fleet ${run}`);
    return [row];
  });
  if (options.json) return printJson(rows);
  if (rows.length === 0) return print(`no audit of a fleet; see: ${commandLine('fleet status')}`);
  showNewestLast(rows, {
    full: options.full,
    showInFull: showFleetAudit,
    heads: ['complete', 'earlier fleet'],
    good: completeOf,
  });
}
