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
 * Some relays drop requests to a bunker that are a minute old, so that less than that is a matter already.
 */
const BUNKER_RELAY_WARN_MS = 30_000;
const MAX_BUNKER_RELAYS = 50;

/**
 * Is this host's clock right, as Postgres and all relays say, those of the bunkers too? Where one document
 * relay differs, its own line says so.
 *
 * @param facts what the document relays have said
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
  const { ok, warn } = findingsOf('clock', 'this host');
  const verdict = judgeClock(witnesses);
  requireRight(verdict);
  const { agreeing } = verdict;
  if (verdict.kind === 'doubted' && agreeing.length === 0) {
    return warn(
      `may be wrong: ${verdict.objecting.join(', ')} ${verdict.objecting.length === 1 ? 'says' : 'say'} so, and nobody says that it is right`,
      'Compare it with a clock that you trust, and set this host and the others by NTP.',
    );
  }
  return agreeing.length > 0
    ? ok(`agrees with ${agreeing.join(', ')}`)
    : ok('not compared: no other machine, relay or Postgres, says the time');
}

/**
 * Others are not asked about this host: an operator has named them, who could so have its clock called wrong.
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
      `this host's clock is ${apartFrom(aheadMs, ['that of this relay of a bunker'])}: it may drop the requests to the bunker`,
      'Set both clocks by NTP, or pair the bunker over another relay.',
    ),
  ];
}

interface Witnesses {
  ofPostgres: ClockWitness[];
  /** The configured ones. */
  ofRelays: ClockWitness[];
  ofBunkerRelays: ClockWitness[];
}

/** What the signers of operators are looked for in. */
interface Seen {
  ledger?: ReadOnlyDatabase;
  source?: Accounts;
  custom?: SignerContext['custom'];
}

/** Those that need the database; none where it cannot be asked, which other lines say. */
async function otherClocks(
  configuration: Configuration,
  { ledger: database, source: accounts, custom }: Seen,
): Promise<Omit<Witnesses, 'ofRelays'>> {
  if (database === undefined) return { ofPostgres: [], ofBunkerRelays: [] };
  const context = { database, configuration, custom, ...(accounts === undefined ? {} : { accounts }) };
  const [ofPostgres, ofBunkerRelays] = await Promise.all([
    // Once it has a connection: what is waited for there is no time on the way.
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
