import { type AddressRules, rulesFor } from '../relays/address-rules';
import { RelayInformation, type RelayLimits } from '../relays/relay-information';
import { shownRelay } from '../relays/url';
import { excessOf } from '../message-size';
import { largestBunkerMessage } from './message-size';

/** A signer that is reached over relays. */
export interface ReachedOver {
  kind: 'bunker' | 'lnbits-bunker';
  bunkerRelays: readonly string[];
  namedRelays?: readonly string[];
}

/**
 * Where a bunker's relays may be. Those of LNbits' bunker are named by whoever runs this, and not by a
 * stranger's URI.
 */
export function addressRulesOf({ kind }: Pick<ReachedOver, 'kind'>, allowPrivate: boolean): AddressRules {
  return { allowPrivate: kind === 'lnbits-bunker' || allowPrivate };
}

/** What the relays of bunkers say of their limits (NIP-11). A bunker is not asked for anything. */
export class BunkerRelayLimits {
  #information = new RelayInformation();

  constructor(private readonly allowPrivateBunkerRelays: boolean) {}

  /** Why no relay of the bunker lets a document through for its size; undefined where one does. */
  async tooLarge(signer: ReachedOver, tags: string[][], plaintext: string): Promise<string | undefined> {
    const limits = await this.#limitsOf(signer);
    if (limits.length === 0 || limits.some(([, known]) => isUnlimited(known))) return undefined;
    const size = largestBunkerMessage(tags, plaintext);
    const objections = limits.flatMap(([relay, known]) => {
      const excess = excessOf(size, known);
      if (excess === undefined) return [];
      const needed = excess.limit === 'content' ? `${excess.size} are` : `one of ${excess.size} is`;
      return `${relay} ${excess.takes}, and ${needed} needed to ask the bunker`;
    });
    return objections.length < limits.length ? undefined : `relays of the bunker: ${objections.join('; ')}`;
  }

  close(): void {
    this.#information.close();
  }

  #limitsOf(signer: ReachedOver): Promise<[string, RelayLimits][]> {
    const { bunkerRelays, namedRelays = bunkerRelays } = signer;
    const rules = addressRulesOf(signer, this.allowPrivateBunkerRelays);
    return Promise.all(
      bunkerRelays.map(async (url): Promise<[string, RelayLimits]> => [
        shownRelay(url),
        await this.#information.limitsOf(url, rulesFor(url, namedRelays, rules)),
      ]),
    );
  }
}

function isUnlimited({ maxContentChars, maxMessageBytes }: RelayLimits): boolean {
  return maxContentChars === undefined && maxMessageBytes === undefined;
}
