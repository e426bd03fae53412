import { forOperator, shellWord } from '../../rules/shell';

/*
 * Commands that messages show, as a person can paste them into a shell.
 */

let dataOption = '';
let operatorOfCall: string | undefined;

/** From now on, shown commands have `--data` with this folder. */
export function setDataFolder(directory: string): void {
  dataOption = ` --data ${shellWord(directory)}`;
}

/** From now on, errors show commands for this operator: the argument of this call. */
export function setOperator(operator: string): void {
  operatorOfCall = operator;
}

/** Such as `republish watch 8f3c2b --data ./migration`. */
export function commandLine(name: string, operator: string): string {
  return `republish ${name} ${shellWord(operator)}${dataOption}`;
}

/**
 * Puts the operator and the data folder into the commands of a text, such as a remedy of the catalogue.
 * Without the folder, a pasted command would look for other servers.
 */
export function completeCommands(text: string, operator: string | undefined): string {
  const named = forOperator(text, operator);
  if (dataOption === '' || operator === undefined) return named;
  const word = shellWord(operator);
  return named
    .split(/(?=\brepublish )/)
    .map((part) => {
      const [, begin = '', rest = ''] = /^(republish (?:(?:signer|fleet) )?[a-z]+ )(.*)$/s.exec(part) ?? [];
      const isOurs = rest.startsWith(word) && !rest.startsWith(`${word}${dataOption}`);
      return isOurs ? `${begin}${word}${dataOption}${rest.slice(word.length)}` : part;
    })
    .join('');
}

/** The same with the operator of this call, if it has one. */
export function forThisCall(text: string): string {
  return completeCommands(text, operatorOfCall);
}
