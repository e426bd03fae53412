import { setTimeout as sleep } from 'node:timers/promises';
import { ensureError } from '../../contract/failures';
import { type Address, isNewer, type SignedEvent } from '../events';
import { plainText } from './connection';
import { DirectRelay } from './direct';
import type { RelayStanding } from '../../contract/relay-standing';
import type { DocumentRelay, Placed, Sighting } from './document-relay';
import { NostrclientRelay } from './nostrclient';
import type { RelayPool } from './pool';
import { type Quorum, quorumSize } from './quorum';
import { isGateway, shownRelay } from './url';

export type { Sighting } from './document-relay';

export interface PublisherOptions {
  pool: RelayPool;
  /** Relay URLs, in one spelling each. */
  relays: readonly string[];
  quorum: Quorum;
  /** Bound of one question to one relay. */
  replyTimeoutMs: number;
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
  /** A newer event of the same author at the address, if any relay has one: machines will take that one. */
  newer?: SignedEvent;
}

/** After the quorum stands, how long to wait for the answers of the other relays. */
const LAGGARD_GRACE_MS = 1_000;
/**
 * Publishes documents and says where they stand. The proof is always reading back: an OK can be given for an event that
 * is not stored, and be missing for one that is.
 */
export class RelayPublisher {
  readonly required: number;
  #relays: Map<string, DocumentRelay>;

  constructor(private readonly options: PublisherOptions) {
    this.required = quorumSize(options.quorum, options.relays.length);
    this.#relays = new Map(
      options.relays.map((url) => {
        const Relay = isGateway(url) ? NostrclientRelay : DirectRelay;
        return [url, new Relay(options.pool, { url, replyTimeoutMs: options.replyTimeoutMs })];
      }),
    );
  }

  /**
   * Asks every relay what it has at an address. Never rejects. Once a quorum has answered, the others have a moment more:
   * a relay that accepts connections and says nothing would otherwise hold up every document.
   */
  async look(address: Address): Promise<Map<string, Sighting>> {
    const sightings = new Map<string, Sighting>();
    let answered = 0;
    let quorumAnswered: () => void = () => undefined;
    const quorum = new Promise<void>((resolve) => (quorumAnswered = resolve));
    const all = Promise.all(
      [...this.#relays].map(async ([url, relay]) => {
        try {
          sightings.set(url, await relay.look(address));
        } catch (thrown) {
          sightings.set(url, { kind: 'unknown', reason: plainText(ensureError(thrown).message) });
        }
        if (sightings.get(url)?.kind !== 'unknown') answered += 1;
        if (answered >= this.required) quorumAnswered();
      }),
    );
    await allOrLaggards(all, quorum);
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
   * @param seen what the relays had a moment ago, if they were asked; saves asking again.
   */
  async place(event: SignedEvent, seen?: Map<string, Sighting>): Promise<Placement> {
    const address = addressOf(event);
    const relays: Record<string, RelayStanding> = {};
    let newer: SignedEvent | undefined;
    let hopelessRelays = 0;
    let stoodAlready = 0;
    let quorumStands: () => void = () => undefined;
    const quorum = new Promise<void>((resolve) => (quorumStands = resolve));
    const holding = (): number => Object.values(relays).filter(({ state }) => state === 'holds').length;

    const all = Promise.all(
      [...this.#relays].map(async ([url, relay]) => {
        const result = await relay.place(event, address, seen?.get(url)).catch(unreachable);
        relays[this.#shown(url)] = result.standing;
        if (result.newer && (newer === undefined || isNewer(result.newer, newer))) newer = result.newer;
        if (result.final) hopelessRelays += 1;
        if (result.stoodAlready) stoodAlready += 1;
        if (holding() >= this.required) quorumStands();
      }),
    );
    await allOrLaggards(all, quorum);

    const settled = { ...relays };
    for (const url of this.options.relays)
      settled[this.#shown(url)] ??= { state: 'unreachable', detail: 'no answer yet' };
    return {
      relays: settled,
      holding: Object.values(settled).filter(({ state }) => state === 'holds').length,
      required: this.required,
      stoodAlready: stoodAlready >= this.required,
      hopeless: this.options.relays.length - hopelessRelays < this.required,
      ...(newer === undefined ? {} : { newer }),
    };
  }

  /** The relay's name in results; two that differ only in what is not shown are numbered. */
  #shown(url: string): string {
    const same = this.options.relays.filter((other) => shownRelay(other) === shownRelay(url));
    return same.length === 1 ? shownRelay(url) : `${shownRelay(url)} (${same.indexOf(url) + 1})`;
  }
}

function unreachable(thrown: unknown): Placed {
  return { standing: { state: 'unreachable', detail: plainText(ensureError(thrown).message) } };
}

/** Waits for all relays, or for the quorum and a moment more. */
async function allOrLaggards(all: Promise<unknown>, quorum: Promise<void>): Promise<void> {
  const enough = new AbortController();
  await Promise.race([
    all,
    quorum.then(() => sleep(LAGGARD_GRACE_MS, undefined, { signal: enough.signal }).catch(() => undefined)),
  ]);
  enough.abort();
}

/** Address of a parameterised replaceable event (NIP-01). */
function addressOf(event: { kind: number; pubkey: string; tags: string[][] }): Address {
  return { kind: event.kind, pubkey: event.pubkey, d: event.tags.find(([name]) => name === 'd')?.[1] ?? '' };
}
