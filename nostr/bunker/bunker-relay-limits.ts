import { type AddressRules, rulesFor } from '../relays/address-rules';
import { RelayInformation, type RelayLimits } from '../relays/relay-information';
import { shownRelay } from '../relays/url';
import { excessOf } from '../message-size';
import { largestBunkerMessage } from './message-size';

/** The relays of a signer that is a bunker. */
export interface ReachedOver {
  kind: 'bunker' | 'lnbits-bunker';
  bunkerRelays: readonly string[];
  namedRelays?: readonly string[];
}

/**
 * Where a bunker's relays may be. The administrator of this installation names the relays of LNbits' bunker,
 * so they are trusted; a paired bunker's relays come from a stranger's URI.
 */
export function addressRulesOf({ kind }: Pick<ReachedOver, 'kind'>, allowPrivate: boolean): AddressRules {
  return { allowPrivate: kind === 'lnbits-bunker' || allowPrivate };
}

/** The limits of bunkers' relays (NIP-11). The bunkers are not asked. */
export class BunkerRelayLimits {
  #information = new RelayInformation();

  constructor(private readonly allowPrivateBunkerRelays: boolean) {}

  /** Why every relay of the bunker would refuse a document for its size; undefined where one takes it. */
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
