import type { Command, Help, Option } from 'commander';

/** The words that can follow one command. */
export interface Words {
  /** The command as it is typed after `republish`, such as `signer add`; empty for the program itself. */
  path: string;
  /** Its subcommands, or the choices of its argument. */
  commands: Described[];
  options: Described[];
  /** The choices of an option. */
  choices: { flag: string; values: readonly string[] }[];
}

export interface Described {
  word: string;
  what: string;
}

/**
 * All commands of the program with their words: a script that is generated from them is never out of date.
 *
 * @param values by option: what it takes, where only the configuration knows that
 */
export function completionWords(
  program: Command,
  values: Readonly<Record<string, readonly string[]>> = {},
): Words[] {
  const help = program.createHelp();
  help.showGlobalOptions = true;
  return walk(program, '', help, values);
}

function walk(
  command: Command,
  path: string,
  help: Help,
  values: Readonly<Record<string, readonly string[]>>,
): Words[] {
  const commands = help.visibleCommands(command);
  const options = [...help.visibleOptions(command), ...help.visibleGlobalOptions(command)];
  const choices = command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []);
  return [
    {
      path,
      commands: [
        ...commands.map((each) => ({ word: each.name(), what: help.subcommandDescription(each) })),
        ...choices.map((word) => ({ word, what: '' })),
      ].map(shortened),
      options: options.map((option) => shortened({ word: wordOf(option), what: option.description })),
      choices: options.flatMap((option) => {
        const flag = wordOf(option);
        const choice = option.argChoices ?? values[flag];
        return choice === undefined ? [] : [{ flag, values: choice }];
      }),
    },
    ...commands.flatMap((each) => walk(each, `${path} ${each.name()}`.trim(), help, values)),
  ];
}

function wordOf({ long, short }: Option): string {
  return long ?? short ?? '';
}

function shortened({ word, what }: Described): Described {
  return { word, what: what.split('\n')[0] ?? '' };
}
