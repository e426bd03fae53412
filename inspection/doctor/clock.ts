import { postgresClock, relayClock, requireRight } from '../../activities/steps/clock';
import type { Configuration } from '../../configuration/schema';
import type { ReadOnlyDatabase } from '../../database/connection';
import { shownRelay } from '../../nostr/relays/url';
import { listCurrentSigners } from '../../pairing/current-signers';
import type { Accounts, SignerContext } from '../../pairing/facts';
import { apartFrom, type ClockWitness, judgeClock } from '../../rules/clock';
import type { RelayFacts } from '../relay-probe';
import { check, type Finding, findingsOf } from './finding';

const TIMEOUT_MS = 20_000;
/**
 * Some relays drop requests to a bunker that are one minute old, so a smaller difference is already a
 * warning.
 */
const BUNKER_RELAY_WARN_MS = 30_000;
const MAX_BUNKER_RELAYS = 50;

/**
 * Compares this host's clock with those of Postgres and of all relays, including the relays of bunkers. If
 * only one document relay differs, the line of that relay says so.
 *
 * @param facts what is known of the document relays
 */
export function checkClock(
  configuration: Configuration,
  facts: readonly RelayFacts[],
  databases: Seen,
): Promise<Finding[]> {
  return check({ area: 'clock', subject: 'this host', timeoutMs: TIMEOUT_MS }, async () => {
    const others = await otherClocks(configuration, databases);
    const ofRelays = facts.flatMap(({ clock }) => clock ?? []);
    return clockFindings({ ...others, ofRelays });
  });
}

/** @throws RepublishError ClockWrong */
export function clockFindings({ ofPostgres, ofRelays, ofBunkerRelays }: Witnesses): Finding[] {
  return [
    ...ofBunkerRelays.flatMap(bunkerRelayFinding),
    hostFinding([...ofPostgres, ...ofRelays, ...ofBunkerRelays.filter(agrees)]),
  ];
}

function hostFinding(witnesses: readonly ClockWitness[]): Finding {
  const { ok, unknown, warn } = findingsOf('clock', 'this host');
  const verdict = judgeClock(witnesses);
  requireRight(verdict);
  const { agreeing } = verdict;
  if (verdict.kind === 'doubted' && agreeing.length === 0) {
    return warn(
      `may be wrong: ${verdict.objecting.join(', ')} ${verdict.objecting.length === 1 ? 'says' : 'say'} ` +
        `so, and nobody says that it is right`,
      'Compare it with a clock that you trust, and set this host and the others by NTP.',
    );
  }
  return agreeing.length > 0
    ? ok(`agrees with ${agreeing.join(', ')}`)
    : unknown('not compared: no other machine, relay or Postgres, says the time');
}

/**
 * The relays of a bunker are named by an operator. Only those that agree count, so that no operator can make
 * this host's clock look wrong.
 */
function agrees({ aheadMs, uncertaintyMs }: ClockWitness): boolean {
  return Math.abs(aheadMs) < BUNKER_RELAY_WARN_MS + uncertaintyMs;
}

function bunkerRelayFinding(witness: ClockWitness): Finding[] {
  if (agrees(witness)) return [];
  const { name, aheadMs } = witness;
  const { warn } = findingsOf('clock', name);
  return [
    warn(
      `this host's clock is ${apartFrom(aheadMs, ['that of this relay of a bunker'])}: it may drop the ` +
        `requests to the bunker`,
      'Set both clocks by NTP, or pair the bunker over another relay.',
    ),
  ];
}

interface Witnesses {
  ofPostgres: ClockWitness[];
  /** The configured relays. */
  ofRelays: ClockWitness[];
  ofBunkerRelays: ClockWitness[];
}

/** Where the signers of operators are looked for. */
interface Seen {
  ledger?: ReadOnlyDatabase;
  source?: Accounts;
  custom?: SignerContext['custom'];
}

/** The clocks that need the database. Empty when it cannot be read: another line reports that. */
async function otherClocks(
  configuration: Configuration,
  { ledger: database, source: accounts, custom }: Seen,
): Promise<Omit<Witnesses, 'ofRelays'>> {
  if (database === undefined) return { ofPostgres: [], ofBunkerRelays: [] };
  const context = { database, configuration, custom, ...(accounts === undefined ? {} : { accounts }) };
  const [ofPostgres, ofBunkerRelays] = await Promise.all([
    // Inside a transaction, so that the time to get a connection does not count.
    database.transaction(postgresClock).catch(() => undefined),
    bunkerRelayClocks(context).catch(() => []),
  ]);
  return { ofPostgres: ofPostgres === undefined ? [] : [ofPostgres], ofBunkerRelays };
}

async function bunkerRelayClocks(context: Parameters<typeof listCurrentSigners>[0]): Promise<ClockWitness[]> {
  const { configuration } = context;
  const signers = await listCurrentSigners(context);
  const relays = signers.flatMap(({ signer }) =>
    'bunkerPubkey' in signer ? (signer.bunkerRelays ?? []) : [],
  );
  const unknown = [...new Set(relays)].filter((url) => !configuration.relays.includes(url));
  const addressRules = { allowPrivate: configuration.allowPrivateBunkerRelays };
  const clocks = unknown
    .slice(0, MAX_BUNKER_RELAYS)
    .map((url) => relayClock(url, shownRelay(url), addressRules));
  return (await Promise.all(clocks)).filter((clock) => clock !== undefined);
}
