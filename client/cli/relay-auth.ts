import { commandLine } from './command-lines';
import { print } from './output';
import { paragraph } from './terminal/table';

/** Help of the option `--auth`, which every command that asks relays has. */
export const AUTH_HELP =
  "where a relay wants to know who asks (NIP-42), have the operator's signer sign that: it may ask a person, and needs the secrets key";

interface Asked {
  /** The command that asked the relays, such as `verify`. */
  subcommand: string;
  operatorUserId: string;
  /** The command authenticated, and the relays still demand it. The line of each relay has the reason. */
  hasAuthenticated: boolean;
  /** What else may help. */
  otherwise?: string;
}

/** Tells what to do about relays that answer only after authentication (NIP-42). */
export function sayRelaysWantAuth(
  relays: readonly string[],
  { subcommand, operatorUserId, hasAuthenticated, otherwise = '' }: Asked,
): void {
  if (relays.length === 0) return;
  const who = `${relays.join(', ')} ${relays.length === 1 ? 'wants' : 'want'} to know who asks`;
  if (hasAuthenticated) {
    const todo =
      'have the key that asks admitted there, or mend the signer: the reason is on the line of the relay';
    return print(paragraph(`unknown: ${who}, and authentication has not helped; ${todo}`));
  }
  const authenticated = `${commandLine(subcommand, operatorUserId)} --auth`;
  print(
    paragraph(
      `unknown: ${who}, and was not told, since this command signs nothing without --auth. To tell it: ${authenticated} (the operator's signer is asked, and may ask a person)${otherwise}`,
    ),
  );
}
