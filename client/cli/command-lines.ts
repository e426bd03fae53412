import { calledBy } from '../../configuration/terminal';
import { forOperator, shellWord } from '../../rules/shell';

/*
 * Commands that messages show, as a person can paste them into a shell.
 */

/** How a person calls this program in a shell: `republish` or `npx republish`. */
let program = 'republish';
let ownCommand: RegExp | undefined;
let dataOption = '';
let operatorOfCall: string | undefined;

/**
 * From now on, shown commands begin as this process was called: behind npx there is no `republish` on PATH.
 *
 * @param commands their names: elsewhere in a text, `republish` is a word
 * @param directory the folder of this program, without links
 */
export function setProgram(commands: readonly string[], directory: string, caller = calledBy()): void {
  // npx puts a package that it had to download below `_npx`. There `npx republish` would be another package.
  const isDownloaded = /[\\/]_npx[\\/]/.test(directory);
  program =
    caller === 'npx' ? `npx ${isDownloaded ? 'republish-operator-configs' : 'republish'}` : 'republish';
  ownCommand = new RegExp(`(?<!npx )\\brepublish (?=(?:${commands.join('|')})\\b|--help)`, 'g');
}

/** How a person calls this program in a shell, such as `npx republish`. */
export function calledAs(): string {
  return program;
}

/** From now on, shown commands have `--data` with this folder. */
export function setDataFolder(directory: string): void {
  dataOption = ` --data ${shellWord(directory)}`;
}

/** From now on, errors show commands for this operator: the argument of this call. */
export function setOperator(operator: string): void {
  operatorOfCall = operator;
}

/** Such as `npx republish watch 8f3c2b --data ./migration`. */
export function commandLine(name: string, operator?: string): string {
  const argument = operator === undefined ? '' : ` ${shellWord(operator)}`;
  return `${program} ${name}${argument}${dataOption}`;
}

/**
 * Puts the operator and the data folder into the commands of a text, such as a remedy of the catalogue, and
 * lets them begin as this process was called. Without the folder, a pasted command would look for other
 * servers.
 */
export function completeCommands(text: string, operator: string | undefined): string {
  return asCalled(withDataFolder(forOperator(text, operator), operator));
}

/** Commands without an operator that a text may name. */
const OF_ALL = /\brepublish (?:fleet [a-z]+|migrate|doctor)\b(?! --data)/g;

function withDataFolder(text: string, operator: string | undefined): string {
  if (dataOption === '') return text;
  const ofAll = text.replace(OF_ALL, (command) => command + dataOption);
  return operator === undefined ? ofAll : withDataFolderOf(ofAll, operator);
}

function withDataFolderOf(text: string, operator: string): string {
  const word = shellWord(operator);
  return text
    .split(/(?=\brepublish )/)
    .map((part) => {
      const [, begin = '', rest = ''] = /^(republish (?:signer )?[a-z]+ )(.*)$/s.exec(part) ?? [];
      const isOurs = rest.startsWith(word) && !rest.startsWith(`${word}${dataOption}`);
      return isOurs ? `${begin}${word}${dataOption}${rest.slice(word.length)}` : part;
    })
    .join('');
}

/** The commands of a text, as this process was called. */
export function asCalled(text: string): string {
  return ownCommand === undefined ? text : text.replace(ownCommand, `${program} `);
}

/** The same with the operator of this call, if it has one. */
export function forThisCall(text: string): string {
  return completeCommands(text, operatorOfCall);
}
