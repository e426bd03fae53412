import { relayClock } from '../activities/steps/clock';
import type { Configuration } from '../configuration/schema';
import { ensureError } from '../contract/failures';
import { GatewayProblem, silentGateway } from '../nostr/relays/gateway-problems';
import { plainText } from '../nostr/relays/plain-text';
import { RelayPool } from '../nostr/relays/pool';
import { readStored } from '../nostr/relays/read';
import { fetchRelayInformation, limitsIn } from '../nostr/relays/relay-information';
import type { RelayLimits } from '../nostr/relays/publisher';
import { isGateway, shownAmong } from '../nostr/relays/url';
import type { ClockWitness } from '../rules/clock';

/** What one document relay shows of itself. */
export interface RelayFacts {
  /** Its URL as it may be shown: a gateway's path is a secret. */
  relay: string;
  gateway: boolean;
  /** It takes connections and answers a read, or says why not. */
  reachable: boolean;
  /** Why it is not reachable, or does not answer a read. */
  problem?: string;
  /** What to do about it in LNbits, where it is a gateway's. */
  remedy?: string;
  /** It answers no read of somebody that it does not know (NIP-42). */
  readsNeedAuthentication: boolean;
  /**
   * What it says of its limits (NIP-11); absent: it has no such document, or is a gateway, which is not
   * asked.
   */
  limits?: RelayLimits;
  /** Takes events only of those it knows, or who have paid (NIP-11). */
  restricted: boolean;
  /** How far its clock is from this host's, as far as its HTTP answer tells. */
  clock?: ClockWitness;
}

const CONNECT_TIMEOUT_MS = 5_000;
/** No event has this id: the answer is the end of the stored ones, and nothing else. */
const NO_EVENT = '0'.repeat(64);

/**
 * Asks every configured relay for a connection, an answer to a read, its limits and its clock. Never rejects.
 */
export async function probeRelays({
  relays,
  relayTimeoutMs,
}: Pick<Configuration, 'relays' | 'relayTimeoutMs'>): Promise<RelayFacts[]> {
  const pool = new RelayPool({ connectTimeoutMs: Math.min(CONNECT_TIMEOUT_MS, relayTimeoutMs) });
  try {
    return await Promise.all(
      relays.map(async (url): Promise<RelayFacts> => {
        const relay = shownAmong(url, relays);
        const gateway = isGateway(url);
        const [asked, information, clock] = await Promise.all([
          ask(pool, url, relayTimeoutMs),
          inform(url),
          gateway ? undefined : relayClock(url, relay),
        ]);
        return { relay, gateway, ...asked, ...information, ...(clock && { clock }) };
      }),
    );
  } finally {
    pool.close();
  }
}

type Answer = Pick<RelayFacts, 'reachable' | 'problem' | 'remedy' | 'readsNeedAuthentication'>;

async function ask(pool: RelayPool, url: string, timeoutMs: number): Promise<Answer> {
  const unreachable = (problem: string, remedy?: string): Answer => ({
    reachable: false,
    problem: plainText(problem),
    ...(remedy === undefined ? {} : { remedy }),
    readsNeedAuthentication: false,
  });
  try {
    const connection = await pool.get(url);
    const reply = await readStored(connection, [{ ids: [NO_EVENT], limit: 1 }], { timeoutMs });
    switch (reply.kind) {
      case 'eose':
        return { reachable: true, readsNeedAuthentication: false };
      case 'closed': {
        const demands = reply.reason.startsWith('auth-required:');
        return {
          reachable: true,
          problem: `read refused: ${reply.reason}`,
          readsNeedAuthentication: demands,
        };
      }
      case 'timeout':
        if (isGateway(url)) throw silentGateway();
        return unreachable(`takes connections, and does not answer a read within ${timeoutMs} ms`);
      case 'lost':
        return unreachable(`closed the connection: ${reply.reason}`);
    }
  } catch (thrown) {
    const { message } = ensureError(thrown);
    return unreachable(
      message || 'not reachable',
      thrown instanceof GatewayProblem ? thrown.remedy : undefined,
    );
  }
}

type Information = Pick<RelayFacts, 'limits' | 'restricted'>;

async function inform(url: string): Promise<Information> {
  if (isGateway(url)) return { restricted: false };
  try {
    const document = await fetchRelayInformation(url, new AbortController().signal);
    return { limits: limitsIn(document), restricted: isRestricted(document) };
  } catch {
    return { restricted: false };
  }
}

function isRestricted(document: string): boolean {
  const { limitation } = JSON.parse(document) as {
    limitation?: { payment_required?: unknown; restricted_writes?: unknown } | null;
  };
  return limitation?.payment_required === true || limitation?.restricted_writes === true;
}
