import { commandLine } from './command-lines';
import { print } from './output';
import { paragraph } from './terminal/table';

/** Help of the option `--auth`, which every command that asks relays has. */
export const AUTH_HELP =
  "authenticate at relays that require it (NIP-42): the operator's signer signs, which may ask a person and needs the secrets key";

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
  const who = `${relays.join(', ')} ${relays.length === 1 ? 'requires' : 'require'} authentication (NIP-42)`;
  if (hasAuthenticated) {
    return print(
      paragraph(
        `unknown: ${who}. This command authenticated, and the relay still refuses: the line of the relay has the reason. Have the relay admit the key, or correct the signer`,
      ),
    );
  }
  const authenticated = `${commandLine(subcommand, operatorUserId)} --auth`;
  print(
    paragraph(
      `unknown: ${who}. Without --auth this command does not authenticate. To authenticate with the operator's signer, which may ask a person: ${authenticated}${otherwise}`,
    ),
  );
}
