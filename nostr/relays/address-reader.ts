import type { Filter } from './frames';
import type { Sighting, Wanted } from './document-relay';
import { type Questions, silenceOf } from './questions';

/** Addresses of one REQ, each with a filter of its own: a list of `#d` is not to be trusted for absence. */
const FILTERS_PER_REQUEST = 10;
/** A relay that takes but one may have been mended, or have been slow that once. */
const ONE_FILTER_FOR_MS = 10 * 60_000;
/**
 * How relays say that a REQ has too many filters: of their own (strfry counts its elements), or in no words
 * of NIP-01.
 */
const TOO_MANY_FILTERS = /filter|bad req|arr too big|^unsupported:/i;

export function complainsOfFilters(words: string): boolean {
  return TOO_MANY_FILTERS.test(words);
}

/** The filter with which a machine asks for its document. */
export function filterOf({ address: { kind, pubkey, d, byP } }: Wanted): Filter {
  return { kinds: [kind], authors: [pubkey], ...(byP === undefined ? { '#d': [d] } : { '#p': [byP] }) };
}

/** How one REQ was answered: what is at each of its addresses. */
export interface Answer {
  sightings: Sighting[];
  tooManyFilters?: boolean;
  /** It is asked too much; in its words. */
  tooMuch?: string | undefined;
}

export interface AddressReaderOptions {
  questions: Questions;
  /** Bound of one question. */
  timeoutMs: number;
  /** How many filters the relay takes, where it has said so. */
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
   * @param tell told of each address as soon as its REQ was answered
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

  /** Undefined: the relay takes fewer filters than these, as is known from now on. */
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
      // Perhaps it passes over a REQ with several filters without a word.
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
