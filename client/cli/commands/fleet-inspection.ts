import type { Command } from 'commander';
import type { OperatorPlan, OperatorVerification } from '../../../inspection/fleet';
import { hasObstacles } from '../../../inspection/ready';
import type { Verification } from '../../../inspection/verify';
import { EXIT } from '../exit-codes';
import { forceOptions, resetCountsOption } from '../options';
import { commandLine } from '../command-lines';
import { print, printJson, say } from '../output';
import { fittedTable, paragraph } from '../terminal/table';
import { selectedOperators } from './fleet';
import { noMachines } from '../run-view/outcome';
import { exitCodeOfPlan } from './plan';
import { countWrong, exitCodeOf } from './verify';

interface SelectionOptions {
  all?: true;
  fromFile?: string;
  documentType?: string[];
  json?: true;
}

interface PlanOptions extends SelectionOptions {
  force?: true;
  resetCounts?: true;
  show?: true;
}

/** `fleet plan` and `fleet verify`: they look, and change nothing. */
export function registerFleetInspection(fleet: Command): void {
  selecting(fleet.command('plan'))
    .summary('say who is ready for a run, and do nothing')
    .description(
      'Plans a run for each operator, as `republish plan` does, and tells in one table who is ready (go) and who is not (no-go) and why. Signs nothing and writes nothing.\nExit code 5 when something has to be put right for one of them; 1 when one has no machines, or a relay requires authentication.',
    )
    .option('--force', 'as with `fleet start --force`: unchanged documents would be signed again')
    .addOption(resetCountsOption())
    .option('--show', "with --json: what would be sent for each document. It is the machines' secret")
    .addHelpText('before', 'Example: republish fleet plan --all\n')
    .action(plan);
  selecting(fleet.command('verify'))
    .summary("ask the relays for every operator's documents as the machines would")
    .description(
      'Verifies the documents of each operator, as `republish verify` does, and tells in one table whose are in order. Reads only, signs nothing.\nExit code 3 when documents are missing or older on the quorum, or the key of a machine is invalid; 1 when that cannot be said of somebody, or somebody has no machines.',
    )
    .addHelpText('before', 'Example: republish fleet verify --all\n')
    .action(verify);
}

function selecting(command: Command): Command {
  return command
    .argument('[operators...]', "the operators' user ids")
    .option('--all', 'all operators, as `fleet start --all` takes them')
    .option('--from-file <path>', 'operators from a file, one a line (- reads standard input)')
    .option('--document-type <type...>', 'only these document types')
    .option('--json', 'as JSON on stdout: a list, one entry for each operator');
}

async function plan(named: string[], options: PlanOptions): Promise<void> {
  const { planOperators } = await import('../../../inspection/fleet.js');
  const { loadWorkerConfiguration } = await import('../configuration.js');
  const planned = await planOperators(
    await loadWorkerConfiguration(['databaseUrl', 'lnbitsDatabaseUrl', 'relays', 'secretsKey']),
    {
      ...(await selection(named, options)),
      ...forceOptions(options),
      ...(options.show && options.json ? { show: true } : {}),
    },
    say,
  );
  if (options.json) printJson(planned);
  else showPlans(planned);
  const codes = planned.map((one) => ('failure' in one ? EXIT.preflight : exitCodeOfPlan(one.plan)));
  process.exitCode = Math.max(EXIT.ok, ...codes);
}

async function verify(named: string[], options: SelectionOptions): Promise<void> {
  const { verifyOperators } = await import('../../../inspection/fleet.js');
  const { loadWorkerConfiguration } = await import('../configuration.js');
  const verified = await verifyOperators(
    await loadWorkerConfiguration(['databaseUrl', 'lnbitsDatabaseUrl', 'relays']),
    await selection(named, options),
  );
  if (options.json) printJson(verified);
  else showVerifications(verified);
  const codes = verified.map((one) => ('failure' in one ? EXIT.failed : exitCodeOf(one.verification)));
  process.exitCode = codes.includes(EXIT.partlyDone) ? EXIT.partlyDone : Math.max(EXIT.ok, ...codes);
}

async function selection(
  named: string[],
  options: SelectionOptions,
): Promise<{ operators?: string[]; documentTypes?: string[] }> {
  const operators = await selectedOperators(named, options);
  return {
    ...(operators === undefined ? {} : { operators }),
    ...(options.documentType ? { documentTypes: [...new Set(options.documentType)] } : {}),
  };
}

function showPlans(planned: OperatorPlan[]): void {
  if (planned.length === 0) return warnOfNoOperators();
  const rows = planned.map((one) => {
    if ('failure' in one)
      return [one.operatorUserId, 'no-go', '', '', '', '', `${one.failure.type}: ${one.failure.message}`];
    const { counts, toSign, problems, documents, lookedIn } = one.plan;
    const verdict = one.go ? 'go' : isEmpty(one) ? 'no machines' : 'no-go';
    const warned = documents.filter(({ warning }) => warning !== undefined).length;
    const remarks = [
      ...problems.map(({ type, message }) => `${type}: ${message}`),
      ...(counts.invalid > 0
        ? [`${counts.invalid} invalid, see: ${commandLine('plan', one.operatorUserId)}`]
        : []),
      ...(warned > 0 ? [`sets the counts of ${warned} machine${warned === 1 ? '' : 's'}`] : []),
      ...(lookedIn === undefined ? [] : [noMachines(lookedIn)]),
      ...(one.plan.standAlready > 0 ? [`${one.plan.standAlready} not ours stand there already`] : []),
    ];
    const numbers = [counts.publish, toSign, counts.unchanged, counts.skipped].map(String);
    return [one.operatorUserId, verdict, ...numbers, remarks.join('; ')];
  });
  print(fittedTable(['operator', 'verdict', 'publish', 'sign', 'unchanged', 'skipped', 'remarks'], rows));
  const go = planned.filter((one) => one.go).length;
  const empty = planned.filter(isEmpty).length;
  const without = empty === 0 ? '' : `; ${empty} ${empty === 1 ? 'has' : 'have'} no machines`;
  print(`\n${go} of ${planned.length} operators are ready${without}`);
}

/** Nothing is in the way of a run of this operator, and there is no machine for it either. */
function isEmpty(one: OperatorPlan): boolean {
  return 'plan' in one && !one.go && !hasObstacles(one.plan);
}

function showVerifications(verified: OperatorVerification[]): void {
  if (verified.length === 0) return warnOfNoOperators();
  const rows = verified.map((one) => {
    if ('failure' in one)
      return [one.operatorUserId, 'unknown', '', '', '', `${one.failure.type}: ${one.failure.message}`];
    const { counts, unknownTypes, lookedIn } = one.verification;
    const wrong = countWrong(counts);
    const verdict = verdictOf(one.verification);
    const remarks = [
      ...(counts.missing > 0 ? [`${counts.missing} missing`] : []),
      ...(counts.older > 0 ? [`${counts.older} older`] : []),
      ...(counts['invalid key'] > 0 ? [`${counts['invalid key']} of machines with an invalid key`] : []),
      ...(counts['not paired'] > 0 ? [`${counts['not paired']} of machines not paired yet`] : []),
      ...(lookedIn === undefined ? [] : [noMachines(lookedIn)]),
      ...(unknownTypes.length > 0 ? [`types not known here: ${unknownTypes.join(', ')}`] : []),
    ];
    const numbers = [counts.current + counts.newer, wrong, counts.unknown].map(String);
    return [one.operatorUserId, verdict, ...numbers, remarks.join('; ')];
  });
  print(fittedTable(['operator', 'verdict', 'current', 'wrong', 'unknown', 'remarks'], rows));
  const inOrder = verified.filter(
    (one) => 'verification' in one && exitCodeOf(one.verification) === EXIT.ok,
  ).length;
  print(paragraph(`\n${inOrder} of ${verified.length} operators are in order`));
}

/** As the exit code of `verify` says it. */
function verdictOf(verification: Verification): string {
  switch (exitCodeOf(verification)) {
    case EXIT.ok:
      return 'in order';
    case EXIT.partlyDone:
      return 'not in order';
    default:
      return verification.lookedIn === undefined ? 'unknown' : 'no machines';
  }
}

function warnOfNoOperators(): void {
  say('warning: there are no operators; has anybody a signer, is "queries.operators" right?');
}
