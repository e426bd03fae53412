import { relayClock } from '../activities/steps/clock';
import type { Configuration } from '../configuration/schema';
import { ensureError } from '../contract/failures';
import { DOCUMENT_KIND } from '../documents/document-type';
import type { RelayConnection } from '../nostr/relays/connection';
import { GatewayProblem, silentGateway } from '../nostr/relays/gateway-problems';
import { plainText } from '../nostr/relays/plain-text';
import { RELAY_CONNECT_TIMEOUT_MS, RelayPool } from '../nostr/relays/pool';
import type { AuthReply, RelayIdentity } from '../nostr/relays/identity';
import { type ReadReply, readStored, wantsIdentity } from '../nostr/relays/read';
import { fetchRelayInformation, limitsIn } from '../nostr/relays/relay-information';
import type { RelayLimits } from '../nostr/relays/relay-information';
import { isGateway, shownAmong } from '../nostr/relays/url';
import { withLastWords } from '../rules/last-words';
import type { ClockWitness } from '../rules/clock';
import { NOBODY, REQUIRES_AUTH } from './asker';

/** What is known of one document relay. */
export interface RelayFacts {
  /** Its URL as it may be shown: a gateway's path is a secret. */
  relay: string;
  gateway: boolean;
  /** Whether it accepts connections and answers a read, even if only with a reason. */
  reachable: boolean;
  /** Why it is not reachable, or does not answer a read. */
  problem?: string;
  /** What to do in LNbits, if it is a gateway. */
  remedy?: string;
  /** It requires authentication for reads (NIP-42). */
  readsNeedAuthentication: boolean;
  /** It requires authentication and got none, or refused it: what it stores is not known. */
  isUnknown?: true;
  /** Its limits (NIP-11). Absent: it has no information document, or is a gateway, which is not asked. */
  limits?: RelayLimits;
  /** It accepts events only from known or paying authors (NIP-11). */
  restricted: boolean;
  /** How far its clock is from this host's, according to its HTTP answer. */
  clock?: ClockWitness;
}

/** No event has this id, so the answer is only EOSE. */
const NOTHING = { kinds: [DOCUMENT_KIND], ids: ['0'.repeat(64)], limit: 1 };

/** Who asks, and over which connections. */
export interface Probing {
  /**
   * Connections that the caller uses afterwards: they are authenticated if a relay required it. Absent: new
   * ones.
   */
  pool?: RelayPool;
  /** Absent: nobody, and no relay gets an authentication. */
  identity?: RelayIdentity | undefined;
  /** The author whose documents will be read: some relays require authentication only for those. */
  author?: string;
}

/**
 * Asks every configured relay for a connection, an answer to a read, its limits and its clock. Never rejects.
 */
export async function probeRelays(
  { relays, relayTimeoutMs }: Pick<Configuration, 'relays' | 'relayTimeoutMs'>,
  { pool: given, identity, author }: Probing = {},
): Promise<RelayFacts[]> {
  const pool =
    given ?? new RelayPool({ connectTimeoutMs: Math.min(RELAY_CONNECT_TIMEOUT_MS, relayTimeoutMs) });
  try {
    return await Promise.all(
      relays.map(async (url): Promise<RelayFacts> => {
        const relay = shownAmong(url, relays);
        const gateway = isGateway(url);
        const [asked, information, clock] = await Promise.all([
          ask(pool, url, relayTimeoutMs, { identity, author }),
          inform(url),
          gateway ? undefined : relayClock(url, relay),
        ]);
        return { relay, gateway, ...asked, ...information, ...(clock && { clock }) };
      }),
    );
  } finally {
    if (given === undefined) pool.close();
  }
}

type Answer = Pick<RelayFacts, 'reachable' | 'problem' | 'remedy' | 'readsNeedAuthentication' | 'isUnknown'>;

async function ask(
  pool: RelayPool,
  url: string,
  timeoutMs: number,
  { identity, author }: { identity: RelayIdentity | undefined; author: string | undefined },
): Promise<Answer> {
  const unreachable = (problem: string, remedy?: string): Answer => ({
    reachable: false,
    problem: plainText(problem),
    ...(remedy === undefined ? {} : { remedy }),
    readsNeedAuthentication: false,
  });
  try {
    const connection = await pool.get(url);
    const filter = { ...NOTHING, ...(author === undefined ? {} : { authors: [author] }) };
    const read = (): Promise<ReadReply> => readStored(connection, [filter], { timeoutMs });
    let reply = await read();
    const introduction = isGateway(url) ? undefined : await introduce(connection, reply, timeoutMs, identity);
    if (introduction?.kind === 'accepted') reply = await read();
    else if (introduction !== undefined)
      return unknownTo(identity === undefined ? undefined : introduction.reason);
    if (introduction !== undefined && wantsIdentity(reply))
      return unknownTo('it asks again after the answer');
    const readsNeedAuthentication = introduction !== undefined;
    switch (reply.kind) {
      case 'eose':
        return { reachable: true, readsNeedAuthentication };
      case 'closed':
        return { reachable: true, problem: `read refused: ${reply.reason}`, readsNeedAuthentication };
      case 'timeout':
        if (isGateway(url)) throw silentGateway();
        return unreachable(
          withLastWords(`takes connections, and does not answer a read within ${timeoutMs} ms`, reply.words),
        );
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

function unknownTo(reason: string | undefined): Answer {
  const problem = reason === undefined ? REQUIRES_AUTH : `${REQUIRES_AUTH}: ${reason}`;
  return { reachable: true, problem, readsNeedAuthentication: true, isUnknown: true };
}

/**
 * The result of the authentication. Undefined: the relay does not require it. Some relays send a challenge
 * and then nothing.
 */
async function introduce(
  connection: RelayConnection,
  reply: ReadReply,
  timeoutMs: number,
  identity: RelayIdentity | undefined,
): Promise<AuthReply | undefined> {
  const isRefused = wantsIdentity(reply);
  if (!isRefused && reply.kind !== 'timeout') return undefined;
  const waitMs = isRefused || identity !== undefined ? timeoutMs : 1;
  const answer = await connection.logins.authenticate(identity ?? NOBODY, waitMs);
  // No challenge: the silence has another reason.
  return isRefused || answer.kind !== 'failed' ? answer : undefined;
}

type Information = Pick<RelayFacts, 'limits' | 'restricted'>;

async function inform(url: string): Promise<Information> {
  if (isGateway(url)) return { restricted: false };
  try {
    const document = await fetchRelayInformation(url);
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
