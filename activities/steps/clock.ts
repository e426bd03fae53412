import { RepublishError } from '../../contract/failures';
import type { Queryable } from '../../database/connection';
import type { AddressRules } from '../../nostr/relays/address-rules';
import { fetchRelayClock } from '../../nostr/relays/relay-information';
import { isGateway, shownAmong } from '../../nostr/relays/url';
import { apartFrom, type ClockVerdict, type ClockWitness, judgeClock } from '../../rules/clock';

export interface ClockOptions {
  database: Queryable;
  /** The configured relays. */
  relays: readonly string[];
  /** After this time a wrong clock is checked again. */
  askAgainMs: number;
  /** Called with one sentence about a witness that too few others agree with. */
  onDoubt(text: string): void;
}

/** Clocks drift slowly: relays are not asked for every page. */
const FRESH_MS = 5 * 60_000;
/** No relay gave its time: one may be back in a moment. */
const UNHEARD_MS = 30_000;
/** After a step of more than this somebody has set the clock, and it is checked again. */
const MAX_STEP_MS = 5_000;

/**
 * The clock of this process, compared with others before it dates a document. A document with a date in the
 * future locks its machine out until then: every save of the operator before that date is the older event.
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
    // When this process began, by the present clock. It moves when somebody sets the clock.
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

/** The clocks of the configured relays. Gateways are not asked. */
function relayClocks(relays: readonly string[]): Promise<ClockWitness | undefined>[] {
  return relays.filter((url) => !isGateway(url)).map((url) => relayClock(url, shownAmong(url, relays)));
}

/**
 * The clock of a relay (not a gateway); undefined: it gave none. Never rejects.
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
 * The clock of Postgres; undefined if it cannot be asked. `isOwn`: the server runs on this machine and has
 * the same clock. That is so if it sees this client come from its own address or over a Unix socket, as the
 * embedded one does.
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
