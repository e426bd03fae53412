import { print } from './output';
import { command } from './run-view/commands';
import { paragraph } from './terminal/table';

/** Of the option `--auth`, which every command that looks at relays has. */
export const AUTH_HELP =
  "where a relay wants to know who asks (NIP-42), have the operator's signer sign that: it may ask a person, and needs the secrets key";

/**
 * Says what to do about relays that were not told who asks.
 *
 * @param otherwise what else there is than the signer
 */
export function sayWhoAsks(
  relays: readonly string[],
  subcommand: string,
  operatorUserId: string,
  otherwise = '',
): void {
  if (relays.length === 0) return;
  print(
    paragraph(
      `unknown: ${relays.join(', ')} ${relays.length === 1 ? 'wants' : 'want'} to know who asks, and was not told, since this command signs nothing by itself. To tell it: ${command(subcommand, operatorUserId)} --auth (the operator's signer is asked, and may ask a person)${otherwise}`,
    ),
  );
}
