import { RepublishError } from '../../contract/failures';
import type { Queryable } from '../../database/connection';
import type { AddressRules } from '../../nostr/relays/address-rules';
import { fetchRelayClock } from '../../nostr/relays/relay-information';
import { isGateway, shownAmong } from '../../nostr/relays/url';
import { apartFrom, type ClockVerdict, type ClockWitness, judgeClock } from '../../rules/clock';

export interface ClockOptions {
  database: Queryable;
  /** The configured ones. */
  relays: readonly string[];
  /** After so long a clock that was wrong is looked at again. */
  askAgainMs: number;
  /** Told in one sentence of a witness that too few agree with. */
  onDoubt(text: string): void;
}

/** Clocks drift slowly, and a relay need not be asked for every page. */
const FRESH_MS = 5 * 60_000;
/** Where no relay has said a time: they may be back in a moment. */
const UNHEARD_MS = 30_000;
/** A clock that was set meanwhile has to be looked at again. */
const MAX_STEP_MS = 5_000;

/**
 * The clock of this process, compared with others before a document is dated by it. A document with a date in
 * the future shuts its machine out until then: whatever the operator saves meanwhile is the older one.
 */
export class WorkerClock {
  #asked:
    | {
        verdict: Promise<ClockVerdict & { isUnheard: boolean }>;
        atMs: number;
        startMs: number;
        freshMs: number;
      }
    | undefined;

  constructor(private readonly options: ClockOptions) {}

  /** @throws RepublishError ClockWrong */
  async requireRight(): Promise<void> {
    requireRight(await this.#verdict());
  }

  #verdict(): Promise<ClockVerdict> {
    const nowMs = performance.now();
    // When this process began, by the clock of now: another moment, if the clock was set since.
    const startMs = Date.now() - nowMs;
    const last = this.#asked;
    const isFresh =
      last !== undefined &&
      nowMs - last.atMs < last.freshMs &&
      Math.abs(startMs - last.startMs) < MAX_STEP_MS;
    if (isFresh) return last.verdict;
    const asked = { verdict: this.#ask(), atMs: nowMs, startMs, freshMs: FRESH_MS };
    this.#asked = asked;
    void asked.verdict.then(({ kind, isUnheard }) => {
      if (kind === 'wrong') asked.freshMs = this.options.askAgainMs;
      else if (isUnheard) asked.freshMs = UNHEARD_MS;
    });
    return asked.verdict;
  }

  async #ask(): Promise<ClockVerdict & { isUnheard: boolean }> {
    const { database, relays, onDoubt } = this.options;
    const asked = relayClocks(relays);
    const [ofPostgres, ...ofRelays] = await Promise.all([postgresClock(database), ...asked]);
    const heard = ofRelays.filter((witness) => witness !== undefined);
    const verdict = judgeClock([...(ofPostgres === undefined ? [] : [ofPostgres]), ...heard]);
    if (verdict.kind === 'doubted') onDoubt(verdict.objecting.join(', '));
    return { ...verdict, isUnheard: asked.length > 0 && heard.length === 0 };
  }
}

/** @throws RepublishError ClockWrong */
export function requireRight(verdict: ClockVerdict): void {
  if (verdict.kind !== 'wrong') return;
  throw new RepublishError(
    'ClockWrong',
    `this machine's clock is ${apartFrom(verdict.aheadMs, verdict.objecting)}: nothing can be dated by it`,
  );
}

/** What the configured relays say; gateways are not asked. */
function relayClocks(relays: readonly string[]): Promise<ClockWitness | undefined>[] {
  return relays.filter((url) => !isGateway(url)).map((url) => relayClock(url, shownAmong(url, relays)));
}

/**
 * What a relay says that is no gateway; undefined: nothing. Never rejects.
 *
 * @param name as it may be shown
 * @param addressRules for a relay that a stranger named
 */
export async function relayClock(
  url: string,
  name: string,
  addressRules?: AddressRules,
): Promise<ClockWitness | undefined> {
  const asked = fetchRelayClock(url, addressRules && { addressRules });
  const difference = await asked.catch(() => undefined);
  return difference && { name, ...difference, isOwn: isLoopback(url) };
}

function isLoopback(url: string): boolean {
  const { hostname } = new URL(url);
  return hostname === '[::1]' || /^127\.|(^|\.)localhost\.?$/.test(hostname);
}

/**
 * The time that Postgres says; undefined where it cannot be asked. A server that sees this client come from
 * its own address, or over a Unix socket, runs on this machine and has the same clock. The embedded one
 * always does.
 */
export async function postgresClock(database: Queryable): Promise<ClockWitness | undefined> {
  const sentAtMs = Date.now();
  const rows = await database
    .query<{ ms: number; own: boolean }>(
      `SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS ms,
              coalesce(inet_client_addr() = inet_server_addr(), true) AS own`,
    )
    .catch(() => undefined);
  const [row] = rows ?? [];
  if (row === undefined) return undefined;
  const receivedAtMs = Date.now();
  return {
    name: 'Postgres',
    aheadMs: (sentAtMs + receivedAtMs) / 2 - row.ms,
    uncertaintyMs: (receivedAtMs - sentAtMs) / 2,
    isOwn: row.own,
  };
}
