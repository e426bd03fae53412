import type { Command } from 'commander';
import { RepublishError } from '../../contract/failures';
import { problemOfId } from '../../rules/ids';

/** Arguments and options that contain ids, and the name of the id in messages. */
const NAMES: Record<string, string> = {
  operator: "the operator's id",
  operators: "an operator's id",
  'operator-or-run': 'the id',
  run: "the fleet's run id",
  machine: "a machine's id",
};

/** People see names first and type them by mistake. Nearly all names have a blank. */
const NAMES_ARE_NO_IDS = '; a name is no id: republish plan <operator> shows the id behind each name';

/**
 * Checks every id of a call, before anything is opened or started.
 *
 * @throws RepublishError InvalidInput, with the id in quotes
 */
export function requireIds(command: Command): void {
  const given: [string, unknown][] = [
    ...command.registeredArguments.map((argument, index): [string, unknown] => [
      argument.name(),
      command.processedArgs[index],
    ]),
    ...Object.entries(command.opts()),
  ];
  for (const [name, value] of given) {
    const what = NAMES[name];
    if (what === undefined || !Object.hasOwn(NAMES, name) || value === undefined) continue;
    requireAll(what, Array.isArray(value) ? value : [value]);
  }
}

/** @throws RepublishError InvalidInput */
export function requireOperatorIds(ids: readonly string[]): void {
  requireAll(NAMES.operators ?? '', ids);
}

function requireAll(what: string, ids: readonly unknown[]): void {
  const hint = what === NAMES.machine ? NAMES_ARE_NO_IDS : '';
  for (const id of ids) {
    const problem = problemOfId(what, id);
    if (problem !== undefined) throw new RepublishError('InvalidInput', `${problem}${hint}`);
  }
}
