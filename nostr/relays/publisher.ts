import { setTimeout as sleep } from 'node:timers/promises';
import { ensureError } from '../../contract/failures';
import { type Address, isAt, isAuthentic, isNewer, type SignedEvent } from '../events';
import { plainText, type RelayConnection } from './connection';
import type { RelayPool } from './pool';
import { type Quorum, quorumSize } from './quorum';
import { meaningOfRefusal } from './refusals';
import { shownRelay } from './url';

export interface PublisherOptions {
  pool: RelayPool;
  /** Relay URLs, in one spelling each. */
  relays: readonly string[];
  quorum: Quorum;
  /** Bound of one question to one relay. */
  replyTimeoutMs: number;
}

/** What one relay has at an address, as a machine would see it. `unknown`: it could not be asked, or did not finish. */
export type Sighting =
  { kind: 'event'; event: SignedEvent } | { kind: 'nothing' } | { kind: 'unknown'; reason: string };

/** Where a document stands on one relay after an attempt to place it there. */
export interface Standing {
  state: 'holds' | 'refused' | 'unreachable' | 'older' | 'newer' | 'absent';
  /** The relay's own words, or the network's. */
  detail?: string;
}

export interface Placement {
  /** By the relay's URL as it may be shown: without a path or query, which can be a bearer secret. */
  relays: Record<string, Standing>;
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

/** Honest relays have one event at an address. */
const MAX_VERIFIED = 5;
/** After the quorum stands, how long to wait for the answers of the other relays. */
const LAGGARD_GRACE_MS = 1_000;
/** A relay may say OK a moment before its reads see the event: waits between the looks. */
const LOOK_AGAIN_MS = [50, 150, 400, 800];

/**
 * Publishes documents and says where they stand. The proof is always reading back: an OK can be given for an event that
 * is not stored, and be missing for one that is.
 */
export class RelayPublisher {
  readonly required: number;

  constructor(private readonly options: PublisherOptions) {
    this.required = quorumSize(options.quorum, options.relays.length);
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
      this.options.relays.map(async (url) => {
        try {
          sightings.set(url, await this.#sighting(await this.options.pool.get(url), address));
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
    const relays: Record<string, Standing> = {};
    let newer: SignedEvent | undefined;
    let hopelessRelays = 0;
    let stoodAlready = 0;
    let quorumStands: () => void = () => undefined;
    const quorum = new Promise<void>((resolve) => (quorumStands = resolve));
    const holding = (): number => Object.values(relays).filter(({ state }) => state === 'holds').length;

    const all = Promise.all(
      this.options.relays.map(async (url) => {
        const result = await this.#placeOn(url, event, address, seen?.get(url));
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

  async #placeOn(
    url: string,
    event: SignedEvent,
    address: Address,
    seen: Sighting | undefined,
  ): Promise<{ standing: Standing; newer?: SignedEvent; final?: boolean; stoodAlready?: boolean }> {
    let connection: RelayConnection;
    try {
      connection = await this.options.pool.get(url);
    } catch (thrown) {
      return { standing: { state: 'unreachable', detail: plainText(ensureError(thrown).message) } };
    }

    const before = seen ?? (await this.#sighting(connection, address));
    if (before.kind === 'event') {
      if (before.event.id === event.id) return { standing: { state: 'holds' }, stoodAlready: true };
      if (isNewer(before.event, event)) {
        return { standing: { state: 'newer', detail: before.event.id }, newer: before.event };
      }
    }

    const reply = await connection.publish(event, this.options.replyTimeoutMs);
    if (reply.kind === 'lost') return { standing: { state: 'unreachable', detail: plainText(reply.reason) } };
    const meaning = reply.kind === 'ok' && !reply.accepted ? meaningOfRefusal(reply.message) : undefined;
    if (reply.kind === 'ok' && meaning === 'final') {
      return { standing: { state: 'refused', detail: reply.message }, final: true };
    }
    const detail = reply.kind === 'silent' ? 'no OK' : reply.message;

    const after = await this.#lookUntilSettled(connection, address, event, meaning === 'retry');
    if (after.kind === 'unknown') return { standing: { state: 'unreachable', detail: after.reason } };
    if (after.kind === 'event') {
      if (after.event.id === event.id) return { standing: { state: 'holds' } };
      if (isNewer(after.event, event)) {
        return { standing: { state: 'newer', detail: after.event.id }, newer: after.event };
      }
    }
    if (meaning === 'retry') return { standing: { state: 'refused', detail } };
    return { standing: { state: after.kind === 'event' ? 'older' : 'absent', detail } };
  }

  /** Reads back; where the relay took the event but does not show it yet, a few times. */
  async #lookUntilSettled(
    connection: RelayConnection,
    address: Address,
    event: SignedEvent,
    refused: boolean,
  ): Promise<Sighting> {
    let sighting = await this.#sighting(connection, address);
    for (const waitMs of refused ? [] : LOOK_AGAIN_MS) {
      const settled =
        sighting.kind === 'unknown' ||
        (sighting.kind === 'event' && (sighting.event.id === event.id || isNewer(sighting.event, event)));
      if (settled) break;
      await sleep(waitMs);
      sighting = await this.#sighting(connection, address);
    }
    return sighting;
  }

  /** The newest event at the address on one relay. Other events and forged ones are as if they were not there. */
  async #sighting(connection: RelayConnection, address: Address): Promise<Sighting> {
    const reply = await connection.read(
      { kinds: [address.kind], authors: [address.pubkey], '#d': [address.d] },
      this.options.replyTimeoutMs,
    );
    if (reply.kind === 'closed') return { kind: 'unknown', reason: `read refused: ${reply.reason}` };
    if (reply.kind === 'timeout') return { kind: 'unknown', reason: 'no answer to a read' };
    if (reply.kind === 'lost') return { kind: 'unknown', reason: plainText(reply.reason) };
    // Newest first, and only a few are verified: a relay may send any number of forged ones, each of which costs.
    const candidates = reply.events
      .filter((event) => isAt(address, event))
      .sort((a, b) => (isNewer(a, b) ? -1 : 1));
    const newest = candidates.slice(0, MAX_VERIFIED).find(isAuthentic);
    if (newest === undefined && candidates.length > MAX_VERIFIED)
      return { kind: 'unknown', reason: 'forged events' };
    return newest ? { kind: 'event', event: newest } : { kind: 'nothing' };
  }
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
