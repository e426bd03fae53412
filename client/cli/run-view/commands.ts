import { forOperator, shellWord } from '../../../rules/shell';

let dataOption = '';
let calledFor: string | undefined;

/** Commands that are named from now on are for the same data folder. */
export function nameDataFolder(directory: string): void {
  dataOption = ` --data ${shellWord(directory)}`;
}

/** The operator that this command was called with: its errors name commands for that one. */
export function nameOperator(operator: string): void {
  calledFor = operator;
}

/** `forOperator`, and for the same data folder: pasted without it, a command would look for other servers. */
export function remedyAs(text: string, operator: string | undefined): string {
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

/** The same, where only the command line knows whether there is an operator. */
export function forThisCall(text: string): string {
  return remedyAs(text, calledFor);
}

/** A command line as a person may paste it into a shell. */
export function command(name: string, operator: string): string {
  return `republish ${name} ${shellWord(operator)}${dataOption}`;
}
