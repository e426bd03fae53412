import type { Filter } from './frames';
import type { Sighting, Wanted } from './document-relay';
import { type Questions, silenceOf } from './questions';

/**
 * Addresses of one REQ, each with a filter of its own. A list of `#d` in one filter does not prove absence.
 */
const FILTERS_PER_REQUEST = 10;
/** A relay that takes only one filter may be repaired, or may have been slow that once. */
const ONE_FILTER_FOR_MS = 10 * 60_000;
/** How relays say that a REQ has too many filters, in no words of NIP-01 (strfry counts elements). */
const TOO_MANY_FILTERS = /filter|bad req|arr too big|^unsupported:/i;

export function complainsOfFilters(words: string): boolean {
  return TOO_MANY_FILTERS.test(words);
}

/** The filter by which a machine asks for its document. */
export function filterOf({ address: { kind, pubkey, d, byP } }: Wanted): Filter {
  return { kinds: [kind], authors: [pubkey], ...(byP === undefined ? { '#d': [d] } : { '#p': [byP] }) };
}

/** The answer to one REQ: what is at each of its addresses. */
export interface Answer {
  sightings: Sighting[];
  tooManyFilters?: boolean;
  /** The relay's words, where it says that it is asked too much. */
  tooMuch?: string | undefined;
}

export interface AddressReaderOptions {
  questions: Questions;
  /** Most time for one question. */
  timeoutMs: number;
  /** How many filters the relay takes in one REQ, where NIP-11 says so. */
  maxFilters?(): number | undefined;
}

/** Asks one relay for many addresses, as many in one REQ as the relay takes. */
export class AddressReader {
  #oneFilterUntilMs = 0;

  constructor(private readonly options: AddressReaderOptions) {}

  filtersPerRequest(): number {
    if (Date.now() < this.#oneFilterUntilMs) return 1;
    const most = Math.floor(this.options.maxFilters?.() ?? FILTERS_PER_REQUEST);
    return Math.max(1, Math.min(FILTERS_PER_REQUEST, most));
  }

  /**
   * Never rejects.
   *
   * @param ask sends one REQ
   * @param tell called for each address as soon as its REQ was answered
   */
  async read<W extends Wanted>(
    wanted: readonly W[],
    ask: (wanted: readonly W[], forMs: number) => Promise<Answer>,
    tell: (wanted: W, sighting: Sighting) => void,
  ): Promise<void> {
    await Promise.all(
      inParts(wanted, this.filtersPerRequest()).map(async (part) => {
        const sightings = await this.options.questions.ask(part.length, () => this.#askOnce(part, ask));
        if (sightings === undefined) return this.read(part, ask, tell);
        for (const [index, each] of part.entries()) tell(each, sightings[index] as Sighting);
      }),
    );
  }

  /** Undefined: the relay takes fewer filters than these. That is remembered. */
  async #askOnce<W extends Wanted>(
    wanted: readonly W[],
    ask: (wanted: readonly W[], forMs: number) => Promise<Answer>,
  ): Promise<Sighting[] | undefined> {
    const { timeoutMs } = this.options;
    if (wanted.length > this.filtersPerRequest()) return undefined;
    if (wanted.length === 1) return (await ask(wanted, timeoutMs)).sightings;
    const { sightings, tooManyFilters } = await ask(wanted, timeoutMs / 2);
    if (!tooManyFilters) {
      if (silenceOf(sightings) === undefined) return sightings;
      // The relay may ignore a REQ with several filters.
      const [alone] = (await ask(wanted.slice(0, 1), timeoutMs / 2)).sightings;
      if (alone === undefined || silenceOf([alone]) !== undefined) return sightings;
    }
    this.#oneFilterUntilMs = Date.now() + ONE_FILTER_FOR_MS;
    return undefined;
  }
}

export function inParts<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}
