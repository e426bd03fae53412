import { print } from './output';
import { command } from './run-view/commands';
import { paragraph } from './terminal/table';

/** Of the option `--auth`, which every command that looks at relays has. */
export const AUTH_HELP =
  "where a relay wants to know who asks (NIP-42), have the operator's signer sign that: it may ask a person, and needs the secrets key";

interface WhoAsks {
  subcommand: string;
  operatorUserId: string;
  /** Somebody was named, in vain; why stands with each relay. */
  wasTold: boolean;
  /** What else there is than the signer. */
  otherwise?: string;
}

/** Says what to do about relays that want to know who asks. */
export function sayWhoAsks(
  relays: readonly string[],
  { subcommand, operatorUserId, wasTold, otherwise = '' }: WhoAsks,
): void {
  if (relays.length === 0) return;
  if (wasTold) {
    const who = `${relays.join(', ')} ${relays.length === 1 ? 'wants' : 'want'} to know who asks`;
    const todo = 'have the key that asks admitted there, or mend the signer: the reason stands with it';
    return print(paragraph(`unknown: ${who}, and being told has not helped; ${todo}`));
  }
  print(
    paragraph(
      `unknown: ${relays.join(', ')} ${relays.length === 1 ? 'wants' : 'want'} to know who asks, and was not told, since this command signs nothing by itself. To tell it: ${command(subcommand, operatorUserId)} --auth (the operator's signer is asked, and may ask a person)${otherwise}`,
    ),
  );
}
