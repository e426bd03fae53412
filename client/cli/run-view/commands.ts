import { forOperator, shellWord } from '../../../contract/shell';

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

/** The same as `forOperator`, where only the command line knows whether there is one. */
export function forThisCall(text: string): string {
  return forOperator(text, calledFor);
}

/** A command line as a person may paste it into a shell. */
export function command(name: string, operator: string): string {
  return `republish ${name} ${shellWord(operator)}${dataOption}`;
}
