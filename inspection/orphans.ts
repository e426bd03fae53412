import { accountPubkey } from '../activities/steps/open-run';
import type { ReadOnlyDependencies } from '../activities/dependencies';
import type { Configuration } from '../configuration/schema';
import { ensureError, RepublishError } from '../contract/failures';
import { compareIds } from '../rules/machine-name';
import { DOCUMENT_KIND } from '../documents/document-type';
import { isAuthentic, isNewer, type SignedEvent } from '../nostr/events';
import { publicKeyHex } from '../nostr/keys';
import { Limiter } from '../async/limiter';
import { plainText } from '../nostr/relays/plain-text';
import type { Filter } from '../nostr/relays/frames';
import type { RelayIdentity } from '../nostr/relays/identity';
import { RelayPool } from '../nostr/relays/pool';
import { readAll } from '../nostr/relays/read-all';
import { isGateway, shownAmong } from '../nostr/relays/url';
import { machinePages } from '../sources/machine-pages';
import { whereMachinesAre } from '../sources/source';
import type { WorkerConfiguration } from '../assembly/worker-configuration';
import { asOperator, REQUIRES_AUTH } from './asker';
import { signerContext, withInspection } from './open';
import { probeRelays, type RelayFacts } from './relay-probe';
import { hasState } from './verify';

/** A document that stands under the old key. */
export interface OldDocument {
  d: string;
  eventId: string;
  /** ISO 8601. */
  createdAt: string;
  /** Relays that have it, as they may be shown. */
  relays: string[];
  /** `covered`: a run publishes its successor under the current key. The other values say why no run does. */
  status: 'covered' | 'unknown type' | 'unknown machine' | 'no state';
  documentType?: string;
  machineId?: string;
  machineName?: string;
}

/**
 * A document that a machine published for the operator, encrypted to the old key. Nobody can read it with the
 * current key.
 */
export interface MachineDocument {
  /** Such as `bitspire-cassettes-state:<atm_pubkey>`. */
  d: string;
  eventId: string;
  /** ISO 8601. */
  createdAt: string;
  relays: string[];
  machineId: string;
  machineName: string;
}

export interface OrphanReport {
  operatorUserId: string;
  /** Hex. */
  oldPubkey: string;
  operatorPubkey: string;
  orphans: OldDocument[];
  covered: OldDocument[];
  fromMachines: MachineDocument[];
  /** Where the machines were searched. Only present when the operator has none. */
  lookedIn?: string;
  relays: { relay: string; documents: number; forged: number; problem?: string }[];
  /** Relays that require authentication and did not get it. */
  unknownRelays: string[];
  /** False: a relay's answer is not complete, so there can be more documents. */
  complete: boolean;
}

/** Machines that one statement reads. */
const MACHINES_PER_PAGE = 500;
/** Statements at the same time: fewer than the pool has connections. */
const QUESTIONS_AT_ONCE = 8;
/** After the first relay behind a gateway answered, the others have this long. */
const GATEWAY_GRACE_MS = 1_000;

/**
 * Finds the documents (kind 30078) under an operator's old key that no run will publish again: they have no
 * document type of this process, no machine of the operator, or no state in the database.
 *
 * @param oldPubkey hex
 * @param options.auth lets the signer of the current key authenticate to relays that require it
 * @throws RepublishError InvalidInput when it is the current key; OperatorNotFound, DatabaseUnavailable,
 *   DatabaseMisconfigured
 */
export function findOrphans(
  configuration: WorkerConfiguration,
  operatorUserId: string,
  oldPubkey: string,
  { auth }: { auth?: { say(text: string): void } | undefined } = {},
): Promise<OrphanReport> {
  return withInspection(configuration, {}, async (deps) => {
    const operatorPubkey = await accountPubkey(deps, operatorUserId);
    if (operatorPubkey === oldPubkey)
      throw new RepublishError('InvalidInput', `${oldPubkey} is the operator's current key, not an old one`);
    const machines = await machinesByKey(deps, operatorUserId);
    const owner = { operatorUserId, operatorPubkey };
    const identity = auth && asOperator(signerContext(deps), owner, auth.say);
    const { found, toOldKey, unknownRelays } = await readBoth(
      configuration,
      { identity, author: oldPubkey },
      {
        byOldKey: { filter: { authors: [oldPubkey] }, isWanted: ({ pubkey }) => pubkey === oldPubkey },
        // Events of other authors do not matter here.
        toOldKey: { filter: { '#p': [oldPubkey] }, isWanted: ({ pubkey }) => machines.has(pubkey) },
      },
    );
    const questions = new Limiter(QUESTIONS_AT_ONCE);
    const documents = await Promise.all(
      newestByAddress(found).map(({ event, relays }) =>
        questions.run(() => judge(deps, machines, event, relays)),
      ),
    );
    documents.sort(inOrder);
    return {
      operatorUserId,
      oldPubkey,
      operatorPubkey,
      orphans: documents.filter(({ status }) => status !== 'covered'),
      covered: documents.filter(({ status }) => status === 'covered'),
      fromMachines: newestByAddress(toOldKey)
        .flatMap((newest) => fromMachine(machines, newest))
        .sort(inOrder),
      relays: found.map(({ relay, events, forged, ...own }, index) => ({
        relay,
        documents: newestByAddress([{ relay, events }]).length,
        forged,
        ...problemOf(own.problem ?? toOldKey[index]?.problem),
      })),
      ...(machines.size === 0
        ? { lookedIn: whereMachinesAre(await deps.source.describe(), operatorUserId) }
        : {}),
      unknownRelays,
      complete: [...found, ...toOldKey].every(({ problem }) => problem === undefined),
    };
  });
}

/** Ordered by machine. Documents without a known machine come last, ordered by address. */
function inOrder(a: { d: string; machineId?: string }, b: { d: string; machineId?: string }): number {
  if ((a.machineId === undefined) !== (b.machineId === undefined)) return a.machineId === undefined ? 1 : -1;
  return compareIds(a.machineId ?? '', b.machineId ?? '') || compareIds(a.d, b.d);
}

function problemOf(problem: string | undefined): { problem?: string } {
  return problem === undefined ? {} : { problem };
}

interface Found {
  relay: string;
  events: SignedEvent[];
  /** Events whose signature is not valid. */
  forged: number;
  problem?: string;
}

interface Wanted {
  filter: Pick<Filter, 'authors' | '#p'>;
  isWanted(event: SignedEvent): boolean;
}

/** Some relays show documents only to their author, and this client has another key. */
const HIDES_OLD =
  'a relay that shows documents only to their author cannot show those of the old key to the new one: ' +
  'ask the person who runs it';

async function readBoth(
  configuration: Pick<Configuration, 'relays' | 'relayTimeoutMs'>,
  asking: { identity: RelayIdentity | undefined; author: string },
  wanted: { byOldKey: Wanted; toOldKey: Wanted },
): Promise<{ found: Found[]; toOldKey: Found[]; unknownRelays: string[] }> {
  const pool = new RelayPool();
  try {
    const probed = await probeRelays(configuration, { pool, ...asking });
    const read = (one: Wanted): Promise<Found[]> => readRelays(pool, configuration, probed, one);
    const [found, toOldKey] = await Promise.all([read(wanted.byOldKey), read(wanted.toOldKey)]);
    // A relay that showed a document of the old key to another author shows such documents to every client
    // that it knows.
    const hiding = (each: Found, index: number): Found =>
      probed[index]?.readsNeedAuthentication === true &&
      each.problem === undefined &&
      each.events.length === 0
        ? { ...each, problem: `it ${REQUIRES_AUTH}, and ${HIDES_OLD}` }
        : each;
    return {
      found: found.map(hiding),
      toOldKey,
      unknownRelays: probed.flatMap(({ relay, isUnknown }) => (isUnknown ? relay : [])),
    };
  } finally {
    pool.close();
  }
}

function readRelays(
  pool: RelayPool,
  { relays, relayTimeoutMs }: Pick<Configuration, 'relays' | 'relayTimeoutMs'>,
  probed: readonly RelayFacts[],
  { filter, isWanted }: Wanted,
): Promise<Found[]> {
  return Promise.all(
    relays.map(async (url, index): Promise<Found> => {
      const relay = shownAmong(url, relays);
      const facts = probed[index];
      if (facts?.isUnknown)
        return { relay, events: [], forged: 0, problem: `unknown: ${facts.problem}; ${HIDES_OLD}` };
      try {
        const { events, incomplete } = await readAll(
          await pool.get(url),
          { kinds: [DOCUMENT_KIND], ...filter },
          { replyTimeoutMs: relayTimeoutMs, afterEoseMs: isGateway(url) ? GATEWAY_GRACE_MS : 0 },
        );
        const wanted = events.filter(
          (event) => event.kind === DOCUMENT_KIND && isWanted(event) && isAuthentic(event),
        );
        return {
          relay,
          events: wanted,
          forged: events.length - wanted.length,
          ...(incomplete === undefined ? {} : { problem: incomplete }),
        };
      } catch (thrown) {
        const problem = plainText(ensureError(thrown).message) || 'not reachable';
        return { relay, events: [], forged: 0, problem };
      }
    }),
  );
}

/** The newest event at each address, and the relays that have it. */
function newestByAddress(
  found: Pick<Found, 'relay' | 'events'>[],
): { event: SignedEvent; relays: string[] }[] {
  const newest = new Map<string, { event: SignedEvent; relays: string[] }>();
  for (const { relay, events } of found) {
    for (const event of events) {
      const address = `${event.pubkey} ${dOf(event)}`;
      const current = newest.get(address);
      if (current?.event.id === event.id) current.relays.push(relay);
      else if (current === undefined || isNewer(event, current.event))
        newest.set(address, { event, relays: [relay] });
    }
  }
  return [...newest.values()];
}

function fromMachine(
  machines: Machines,
  { event, relays }: { event: SignedEvent; relays: string[] },
): MachineDocument[] {
  const machine = machines.get(event.pubkey);
  if (machine === undefined) return [];
  const { d, eventId, createdAt } = told(event);
  return [{ d, eventId, createdAt, relays, machineId: machine.id, machineName: machine.name }];
}

function told(event: SignedEvent): Pick<OldDocument, 'd' | 'eventId' | 'createdAt'> {
  const createdAt = new Date(Math.min(event.created_at, MAX_DATE_S) * 1000).toISOString();
  return { d: dOf(event), eventId: event.id, createdAt };
}

type Machines = ReadonlyMap<string, { id: string; name: string }>;

async function machinesByKey(deps: ReadOnlyDependencies, operatorUserId: string): Promise<Machines> {
  const machines = new Map<string, { id: string; name: string }>();
  for await (const page of machinePages(deps.source, { operatorUserId }, MACHINES_PER_PAGE))
    for (const { id, name, machineNpub } of page) {
      const key = publicKeyHex(machineNpub ?? '');
      if (key !== undefined) machines.set(key, { id, name: name ?? id });
    }
  return machines;
}

async function judge(
  deps: ReadOnlyDependencies,
  machines: Machines,
  event: SignedEvent,
  relays: string[],
): Promise<OldDocument> {
  const d = dOf(event);
  const separator = d.lastIndexOf(':');
  const documentType = d.slice(0, Math.max(0, separator));
  const document = { ...told(event), relays };
  if (!deps.documentTypes.some(({ type }) => type === documentType))
    return { ...document, status: 'unknown type' };
  const machine = machines.get(d.slice(separator + 1));
  if (machine === undefined) return { ...document, documentType, status: 'unknown machine' };
  return {
    ...document,
    documentType,
    machineId: machine.id,
    machineName: machine.name,
    status: (await hasState(deps, documentType, machine.id)) ? 'covered' : 'no state',
  };
}

/** The last date that a calendar can show. An author can write any number. */
const MAX_DATE_S = 253_402_300_799;

/** The text is foreign: the signature proves who wrote it, not what it contains. */
function dOf({ tags }: SignedEvent): string {
  return plainText(tags.find(([name]) => name === 'd')?.[1] ?? '');
}
