import type { EarlierSeal, SealedEvent } from '../../database/ledger/documents';
import { newestSeals } from '../../database/ledger/page';
import type { RelayIdentity } from '../../nostr/relays/identity';
import { eventsIn, type Seen } from '../../nostr/relays/seen';
import { newestOf } from '../../rules/newest';
import { RETURNS_LATER_MS } from '../../rules/patience';
import { isOutOfDate } from '../../rules/seal';
import type { ActivityDependencies } from '../dependencies';
import { judgeSealFor } from '../steps/judge-seal';
import { asTrouble, type PageDocument, type Trouble } from './document';
import { readPage, type ReadDocument } from './read-page';
import { slowRelay } from './slow-relays';

/** What happens next with a document that has no signature yet. */
export type Prepared =
  | { kind: 'sign'; read: ReadDocument; /** Of an event that is still to be sealed. */ createdAtS: number }
  | { kind: 'reuse'; event: SealedEvent; signature: string; fingerprint: string }
  | { kind: 'later'; atMs: number }
  | { kind: 'trouble'; trouble: Trouble };

export interface PageFacts {
  runId: string;
  operatorUserId: string;
  operatorPubkey: string;
  documentType: string;
  /** Sign again even where the state is unchanged and the document stands. */
  force: boolean;
  identity: RelayIdentity;
}

/**
 * Looks at the relays, then reads, then judges, in that order. A save of the operator is in LNbits before it
 * is on a relay. So what is read after the look is at least as new as any event that was seen.
 */
export async function prepare(
  deps: ActivityDependencies,
  facts: PageFacts,
  documents: readonly PageDocument[],
): Promise<Map<PageDocument, Prepared>> {
  await look(deps, facts, documents);
  const prepared = new Map<PageDocument, Prepared>();
  const readable: PageDocument[] = [];
  for (const document of documents) {
    const unanswered = withoutQuorum(deps, document.seen);
    if (unanswered === undefined) readable.push(document);
    else prepared.set(document, { kind: 'trouble', trouble: unanswered });
  }
  if (readable.length === 0) return prepared;
  const machines = readable.map(({ row }) => row);
  const keys = machines.flatMap(({ atmPubkey }) => atmPubkey ?? []);
  const [page, earlier, clockWrong] = await Promise.all([
    readPage(deps, { ...facts, machines }),
    newestSeals(deps.database, facts, keys, facts.runId),
    deps.clock.requireRight().then(() => undefined, asTrouble),
  ]);
  for (const document of readable) {
    const { machineId, atmPubkey } = document.row;
    const read: ReadDocument | Trouble = page.documents.get(machineId) ?? {
      type: 'PlanOutdated',
      message: page.outdated?.message ?? `machine ${machineId} was not read`,
      final: true,
    };
    prepared.set(
      document,
      'plaintext' in read
        ? await judge(deps, facts, { document, read, earlier: earlier.get(atmPubkey ?? ''), clockWrong })
        : { kind: 'trouble', trouble: read },
    );
  }
  return prepared;
}

/** Asks the relays what they have at the addresses, and keeps the answers with the documents. */
export async function look(
  { publisher }: Pick<ActivityDependencies, 'publisher'>,
  { identity }: Pick<PageFacts, 'identity'>,
  documents: readonly PageDocument[],
): Promise<void> {
  const seen = await publisher.look(
    documents.map(({ address }) => address),
    identity,
  );
  for (const [index, document] of documents.entries()) document.seen = seen[index] ?? new Map();
}

/**
 * The trouble of a document for which no quorum has answered. Nothing is sealed without a quorum: the date
 * depends on what stands.
 */
export function withoutQuorum(
  { publisher, patience }: Pick<ActivityDependencies, 'publisher' | 'patience'>,
  seen: Seen = new Map(),
): Trouble | undefined {
  if (publisher.hasQuorum(seen)) return undefined;
  const reasons = [...seen].flatMap(([url, sighting]) =>
    sighting.kind === 'unknown' ? [`${publisher.nameOf(url)}: ${sighting.reason}`] : [],
  );
  const answered = seen.size - reasons.length;
  const { required } = publisher;
  const shortfall = `${answered} of the ${required} required relays report what stands at the address`;
  const message = [shortfall, ...reasons].join('; ');
  const waitsFor = publisher.waitsFor(seen, answered);
  if (waitsFor !== undefined) return slowRelay({ patience }, waitsFor, { message });
  const returning = [...seen.values()].filter(
    (sighting) => sighting.kind === 'unknown' && sighting.returnsLater === true,
  ).length;
  const final = publisher.isHopeless(seen);
  return {
    type: final ? 'RelayRefused' : 'RelayQuorumNotReached',
    message,
    final,
    retryAfterMs: answered + returning >= publisher.required ? RETURNS_LATER_MS : undefined,
  };
}

interface Judged {
  document: PageDocument;
  read: ReadDocument;
  earlier: EarlierSeal | undefined;
  /** The clock is wrong, so no date can be set or judged. */
  clockWrong: Trouble | undefined;
}

async function judge(
  deps: ActivityDependencies,
  { force }: PageFacts,
  { document, read, earlier, clockWrong }: Judged,
): Promise<Prepared> {
  // A sealed event is not signed either: a bunker or its relay would drop a request that this clock dated.
  if (clockWrong !== undefined) return { kind: 'trouble', trouble: clockWrong };
  const replaces = document.replaces !== undefined;
  if (document.event !== null && !replaces) {
    if (!isOutOfDate(document.row.stateFingerprint, read.fingerprint))
      return { kind: 'sign', read, createdAtS: document.event.created_at };
    const message = 'its state was changed after its event was fixed, and before that was signed';
    return { kind: 'trouble', trouble: { type: 'StateChanged', message, final: true } };
  }
  const seen: Seen = document.seen ?? new Map();
  const known = {
    standing: newestOf(eventsIn(seen)),
    earlier,
    stateFingerprint: read.fingerprint,
    force: force || replaces,
    readAtS: Math.floor(read.readAtMs / 1000),
  };
  try {
    const verdict = await judgeSealFor<SealedEvent>(deps, { d: document.address.d, seen }, known);
    if (verdict.kind === 'reuse') return { ...verdict, fingerprint: read.fingerprint };
    if (verdict.kind === 'wait') return { kind: 'later', atMs: verdict.readAgainAtS * 1000 };
    return { kind: 'sign', read, createdAtS: verdict.createdAtS };
  } catch (thrown) {
    return { kind: 'trouble', trouble: asTrouble(thrown) };
  }
}
