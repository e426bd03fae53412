import { setTimeout as sleep } from 'node:timers/promises';
import { ensureError } from '../../contract/failures';
import { type Address, isNewer, type SignedEvent } from '../events';
import { plainText } from './plain-text';
import { DirectRelay } from './direct';
import type { RelayStanding } from '../../contract/relay-standing';
import type { DocumentRelay, Placed, Sighting } from './document-relay';
import type { RelayIdentity } from './identity';
import { NostrclientRelay } from './nostrclient';
import type { RelayPool } from './pool';
import { type Quorum, quorumSize } from './quorum';
import { RelayInformation, type RelayLimits } from './relay-information';
import { SilentRelays } from './silence';
import { isGateway, shownAmong } from './url';

export type { Sighting } from './document-relay';
export type { RelayLimits } from './relay-information';

export interface PublisherOptions {
  pool: RelayPool;
  /** Relay URLs, in one spelling each. */
  relays: readonly string[];
  quorum: Quorum;
  /** Bound of one question to one relay. */
  replyTimeoutMs: number;
  /** Told of each relay, by its name as it may be shown, where a document stands on it. */
  onStanding?(relay: string, state: RelayStanding['state']): void;
}

export interface Placement {
  /** By the relay's URL as it may be shown: without a path or query, which can be a bearer secret. */
  relays: Record<string, RelayStanding>;
  /** Relays on which the event was seen, read back as a machine would read it. */
  holding: number;
  required: number;
  /** True when the quorum held it before anything was sent. */
  stoodAlready: boolean;
  /** True when refusals alone make the quorum impossible. */
  hopeless: boolean;
  /** The quorum waits for nothing but relays that come back by themselves, in minutes and not in seconds. */
  waitsForReturn?: true;
  /** A newer event of the same author at the address, if any relay has one: machines will take that one. */
  newer?: SignedEvent;
}

export interface PlaceOptions {
  /** What the relays had a moment ago, if they were asked; saves asking again. */
  seen?: Map<string, Sighting> | undefined;
  /** Who publishes, for relays that demand to know (NIP-42). */
  identity?: RelayIdentity | undefined;
}

/** After the quorum stands, how long to wait for the answers of the other relays. */
const LAGGARD_GRACE_MS = 1_000;
/** The same for a relay that has kept others waiting lately. */
const KNOWN_LAGGARD_GRACE_MS = 250;
/** How long a relay is not waited for any longer than that. */
const KNOWN_LAGGARD_MS = 60_000;
const FIRST_LAGGARD_PAUSE_MS = 200;
const MAX_LAGGARD_PAUSE_MS = 2_000;

/**
 * Publishes documents and says where they stand. The proof is always reading back: an OK can be given for an event that
 * is not stored, and be missing for one that is.
 */
export class RelayPublisher {
  readonly required: number;
  #relays: Map<string, DocumentRelay>;
  /** By URL, as they may be shown: each document names each relay several times. */
  #names: Map<string, string>;
  #information = new RelayInformation();
  /** Until when a relay is known to lag. */
  #laggingUntilMs = new Map<string, number>();
  #silent: SilentRelays;

  constructor(private readonly options: PublisherOptions) {
    this.#silent = new SilentRelays(options.replyTimeoutMs);
    this.required = quorumSize(options.quorum, options.relays.length);
    this.#names = new Map(options.relays.map((url) => [url, shownAmong(url, options.relays)]));
    this.#relays = new Map(
      options.relays.map((url) => {
        const Relay = isGateway(url) ? NostrclientRelay : DirectRelay;
        const isAuthRequired = (): boolean => this.#information.knownLimitsOf(url)?.authRequired === true;
        const { pool, replyTimeoutMs } = options;
        return [url, new Relay(pool, { url, replyTimeoutMs, isAuthRequired })];
      }),
    );
  }

  /** Ends questions for the relays' limits that are under way; the pool is its owner's. */
  close(): void {
    this.#information.close();
  }

  /** What each relay says of its limits (NIP-11), by its URL as it may be shown. */
  async limits(): Promise<Record<string, RelayLimits>> {
    return Object.fromEntries(
      await Promise.all(
        [...this.#names].map(
          async ([url, name]) =>
            [name, await this.#information.limitsOf(url)] satisfies [string, RelayLimits],
        ),
      ),
    );
  }

  /**
   * Why the quorum cannot be reached with an event, by what the relays say of their limits; undefined when it can.
   *
   * @param objection what one relay would have against it
   */
  async impossibleBecause(
    objection: (limits: RelayLimits) => string | undefined,
  ): Promise<string | undefined> {
    const objections = Object.entries(await this.limits()).flatMap(([relay, limits]) => {
      const reason = objection(limits);
      return reason === undefined ? [] : [`${relay} ${reason}`];
    });
    return this.options.relays.length - objections.length < this.required ? objections.join('; ') : undefined;
  }

  /**
   * Asks every relay what it has at an address. Never rejects. Once a quorum has answered, the others have a moment more:
   * a relay that accepts connections and says nothing would otherwise hold up every document. Where no quorum answers, only
   * the first documents wait for a silent relay.
   */
  async look(address: Address, identity?: RelayIdentity): Promise<Map<string, Sighting>> {
    const sightings = new Map<string, Sighting>();
    const round = new Round(this.options.relays, this.required);
    const all = Promise.all(
      [...this.#relays].map(async ([url, relay]) => {
        const sighting = await this.#silent.ask(url, () => relay.look(address, { identity }));
        sightings.set(url, sighting);
        round.answered(url, sighting.kind !== 'unknown');
      }),
    );
    await Promise.race([all, this.#graceAfter(round)]);
    round.end();
    return new Map(
      this.options.relays.map((url) => [
        url,
        sightings.get(url) ?? { kind: 'unknown', reason: 'no answer yet' },
      ]),
    );
  }

  /**
   * Brings a signed event to the relays that do not hold it yet and reads it back. Never rejects: what went wrong is in
   * the standing of each relay. The same bytes may be placed any number of times.
   *
   * Once the quorum stands the relays that lag are tried on for as long as one answer may take; of all the documents that
   * meet the same laggard, one tries.
   */
  async place(event: SignedEvent, { seen, identity }: PlaceOptions = {}): Promise<Placement> {
    const address = addressOf(event);
    const results = new Map<string, Placed>();
    const round = new Round(this.options.relays, this.required);
    const attempt = async (url: string, relay: DocumentRelay, before?: Sighting): Promise<void> => {
      const result = await relay.place(event, address, { seen: before, identity }).catch(unreachable);
      results.set(url, result);
      if (result.standing.state === 'holds') this.#laggingUntilMs.delete(url);
      if (result.standing.state !== 'unreachable') this.#silent.noteAnswer(url);
      round.answered(url, result.standing.state === 'holds');
    };
    const first = new Map(
      [...this.#relays].map(([url, relay]) => [url, attempt(url, relay, seen?.get(url))] as const),
    );
    await Promise.race([Promise.all(first.values()), this.#graceAfter(round)]);
    round.end();

    const isOpen = (url: string): boolean => isWorthAnotherTry(results.get(url));
    const superseded = [...results.values()].some(({ newer }) => newer !== undefined);
    if (round.stands && !superseded) {
      await Promise.all(
        [...this.#relays]
          .filter(([url]) => isOpen(url) && !this.#isLagging(url))
          .map(([url, relay]) =>
            this.#pursue(
              url,
              first.get(url),
              () => attempt(url, relay),
              () => isOpen(url),
            ),
          ),
      );
    }
    return this.#placement(new Map(results));
  }

  /** Tries a laggard on until it holds the event or the time is over. Meanwhile nobody else waits for it. */
  async #pursue(
    url: string,
    pending: Promise<void> | undefined,
    again: () => Promise<void>,
    isOpen: () => boolean,
  ): Promise<void> {
    const untilMs = Date.now() + this.options.replyTimeoutMs;
    this.#laggingUntilMs.set(url, untilMs + KNOWN_LAGGARD_MS);
    const left = (): number => untilMs - Date.now();
    let attempt = pending ?? Promise.resolve();
    for (let pauseMs = FIRST_LAGGARD_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, MAX_LAGGARD_PAUSE_MS)) {
      await within(attempt, left());
      if (!isOpen()) return;
      if (left() <= pauseMs) return;
      await sleep(pauseMs);
      attempt = again();
    }
  }

  #isLagging(url: string): boolean {
    return Date.now() < (this.#laggingUntilMs.get(url) ?? 0);
  }

  /** Resolves when the quorum has answered and the others have had a moment more. */
  async #graceAfter(round: Round): Promise<void> {
    await round.quorum;
    const graceMs = round.missing().every((url) => this.#isLagging(url))
      ? KNOWN_LAGGARD_GRACE_MS
      : LAGGARD_GRACE_MS;
    await round.endedOr(graceMs);
  }

  #placement(results: Map<string, Placed>): Placement {
    const relays: Record<string, RelayStanding> = {};
    let newer: SignedEvent | undefined;
    let holding = 0;
    let hopeless = 0;
    let returning = 0;
    let stoodAlready = 0;
    for (const [url, name] of this.#names) {
      const result = results.get(url) ?? { standing: { state: 'unreachable', detail: 'no answer yet' } };
      relays[name] = result.standing;
      this.options.onStanding?.(name, result.standing.state);
      if (result.newer && (newer === undefined || isNewer(result.newer, newer))) newer = result.newer;
      if (result.standing.state === 'holds') holding += 1;
      if (result.final) hopeless += 1;
      if (result.returnsLater) returning += 1;
      if (result.stoodAlready) stoodAlready += 1;
    }
    return {
      relays,
      holding,
      required: this.required,
      stoodAlready: stoodAlready >= this.required,
      hopeless: this.options.relays.length - hopeless < this.required,
      ...(holding < this.required && holding + returning >= this.required ? { waitsForReturn: true } : {}),
      ...(newer === undefined ? {} : { newer }),
    };
  }
}

/** One question to all relays: which have answered, and when they are enough. */
class Round {
  readonly quorum: Promise<void>;
  stands = false;
  #missing: Set<string>;
  #good = 0;
  #quorumStands: () => void = () => undefined;
  #grace: NodeJS.Timeout | undefined;
  #graceIsOver: () => void = () => undefined;

  constructor(
    relays: readonly string[],
    private readonly required: number,
  ) {
    this.#missing = new Set(relays);
    this.quorum = new Promise((resolve) => (this.#quorumStands = resolve));
  }

  /** Resolves after so many milliseconds, or when the round has ended. */
  endedOr(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#graceIsOver = resolve;
      this.#grace = setTimeout(resolve, ms);
    });
  }

  answered(url: string, isGood: boolean): void {
    this.#missing.delete(url);
    if (isGood) this.#good += 1;
    if (this.#good < this.required) return;
    this.stands = true;
    this.#quorumStands();
  }

  missing(): string[] {
    return [...this.#missing];
  }

  end(): void {
    clearTimeout(this.#grace);
    this.#graceIsOver();
  }
}

/** Nothing yet, or nothing that would not be otherwise a moment later. */
function isWorthAnotherTry(result: Placed | undefined): boolean {
  if (result === undefined) return true;
  return result.final !== true && result.standing.state !== 'holds' && result.standing.state !== 'newer';
}

async function within(work: Promise<void>, timeoutMs: number): Promise<void> {
  const late = new AbortController();
  const timer = sleep(Math.max(0, timeoutMs), undefined, { signal: late.signal }).catch(() => undefined);
  await Promise.race([work, timer]);
  late.abort();
}

function reasonOf(thrown: unknown): string {
  return plainText(ensureError(thrown).message);
}

function unreachable(thrown: unknown): Placed {
  return { standing: { state: 'unreachable', detail: reasonOf(thrown) } };
}

/** Address of a parameterised replaceable event (NIP-01). */
function addressOf(event: { kind: number; pubkey: string; tags: string[][] }): Address {
  return { kind: event.kind, pubkey: event.pubkey, d: event.tags.find(([name]) => name === 'd')?.[1] ?? '' };
}
