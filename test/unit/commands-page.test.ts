import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Command } from 'commander';
import { EXIT } from '../../client/cli/exit-codes';
import { buildProgram } from '../../client/cli/main';

const PAGE = readFileSync(path.resolve(__dirname, '../../docs/commands.md'), 'utf8');
const [COMMANDS = '', EXIT_CODES = ''] = PAGE.split('\n## Exit codes\n');

const rowsOf = (text: string): string[][] =>
  text
    .split('\n')
    .filter((line) => line.startsWith('| `') || /^\| \d/.test(line))
    .map((line) => line.split(/(?<!\\)\|/).map((cell) => cell.trim()));

/** `signer add <operator>` is the command `signer add`. */
const namesIn = (cell: string): string[] =>
  [...cell.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text.replace(/ *(<|…).*/, ''));

/** The group `fleet` has one row for all of its commands; the group `signer` has none for itself. */
function namesOf(command: Command, prefix = ''): string[] {
  return command.commands.flatMap((each) => {
    const name = `${prefix} ${each.name()}`.trim();
    return each.commands.length > 0 && name !== 'fleet' ? namesOf(each, name) : [name];
  });
}

const program = buildProgram();

test('docs/commands.md has a row for every command, and for nothing else', () => {
  const onPage = rowsOf(COMMANDS).flatMap(([, cell = '']) => namesIn(cell));
  expect(onPage.sort()).toEqual(namesOf(program).sort());
});

test('docs/commands.md names every command of a fleet', () => {
  const row = rowsOf(COMMANDS).find(([, cell = '']) => namesIn(cell).includes('fleet')) ?? [];
  const fleet = program.commands.find((each) => each.name() === 'fleet');
  const missing = fleet?.commands.filter((each) => !row.join(' ').includes(each.name())) ?? [];
  expect(missing.map((each) => each.name())).toEqual([]);
});

test('docs/commands.md has the exit codes of the program', () => {
  const onPage = rowsOf(EXIT_CODES).map(([, code = '', name = '']) => [
    name.replaceAll('`', ''),
    Number(code),
  ]);
  expect(Object.fromEntries(onPage)).toEqual(EXIT);
});
