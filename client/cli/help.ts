import { type Command, Help, type Option } from 'commander';
import { calledAs } from './command-lines';
import { takesData } from './data-folder';

/** What a person needs first, in the order of a migration. Shown with a sentence each. */
const FIRST = ['doctor', 'signer', 'plan', 'start', 'watch', 'status', 'verify', 'audit'];

/** All other commands. Shown by name, so that the help fits a terminal. */
const FURTHER: Record<string, readonly string[]> = {
  'control a run': ['pause', 'resume', 'retry', 'skip', 'cancel', 'end'],
  'look further': ['report', 'orphans'],
  'many operators': ['fleet'],
  servers: ['up', 'worker', 'migrate'],
  'try it': ['dev', 'demo'],
  shell: ['completion'],
};

/** Settings of commander: the help of the program is short, that of a command has everything. */
export const HELP: Partial<Help> = {
  showGlobalOptions: true,
  visibleGlobalOptions: globalOptionsOf,
  formatHelp(command, helper) {
    return command.parent === null
      ? helpOfProgram(command)
      : Help.prototype.formatHelp.call(this, command, helper);
  },
};

/** The help of a command without data folder does not show --data. */
function globalOptionsOf(this: Help, command: Command): Option[] {
  const options = Help.prototype.visibleGlobalOptions.call(this, command);
  return takesData(command) ? options : options.filter(({ long }) => long !== '--data');
}

function helpOfProgram(program: Command): string {
  const summaryOf = (name: string): string =>
    program.commands.find((command) => command.name() === name)?.summary() ?? '';
  return [
    `Usage: ${calledAs()} <command> [operator] [options]`,
    program.description(),
    '',
    'First:',
    ...aligned(FIRST.map((name) => [name, summaryOf(name)])),
    '',
    `Further commands (${calledAs()} <command> --help has each with all options):`,
    ...aligned(Object.entries(FURTHER).map(([what, names]) => [what, names.join(', ')])),
    '',
    'Options:',
    ...aligned([
      ['--data <dir>', 'a data folder in place of servers (else: REPUBLISH_DATA)'],
      ['--color <when>', 'auto, always or never (else: NO_COLOR, FORCE_COLOR)'],
      ['-V, --version', 'the version'],
      ['-h, --help', 'this help'],
    ]),
    '',
  ].join('\n');
}

function aligned(rows: readonly (readonly [name: string, what: string])[]): string[] {
  const widest = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, what]) => `  ${name.padEnd(widest)}  ${what}`);
}

/** What follows a mistake in a command line, in place of the whole help. */
export function afterMistake(path: string): string {
  return `(see: republish ${path === '' ? '' : `${path} `}--help)`;
}

/** Shows a mistake in a command line. If the operator is missing, it says where its id is found. */
export function showMistake(text: string, write: (text: string) => void): void {
  write(text);
  if (/argument 'operator/.test(text))
    write("The operator's id is accounts.id in LNbits: SELECT id, username FROM accounts\n");
}
