import { accountPubkey, resolveDocumentTypes, unknownTypesInLedger } from '../activities/steps/open-run';
import type { ReadOnlyDependencies } from '../activities/dependencies';
import { requireMachines } from '../activities/load-machines';
import { readStates, requireType } from '../activities/steps/read-state';
import { RepublishError, scopeOf } from '../contract/failures';
import type { RepublishInput } from '../contract/input';
import { standingDocuments, type StandingRow } from '../database/ledger/standing';
import { type MachineRow, whereMachinesAre } from '../sources/source';
import { DOCUMENT_KIND, type DocumentType, dTag, tagsOf } from '../documents/document-type';
import type { Address } from '../nostr/events';
import { getPublicKey, parsePublicKey, publicKeyHex } from '../nostr/keys';
import type { RelayIdentity } from '../nostr/relays/identity';
import { RelayPool } from '../nostr/relays/pool';
import { RelayPublisher, type Seen } from '../nostr/relays/publisher';
import { shownAmong } from '../nostr/relays/url';
import type { GivenParts } from '../assembly/parts';
import type { WorkerConfiguration } from '../assembly/worker-configuration';
import { asMachine, asOperator, WANTS_TO_KNOW } from './asker';
import { type InspectionDependencies, signerContext, withInspection } from './open';
import { probeRelays, type RelayFacts } from './relay-probe';
import { quorumVerdict, type RelayVerdict, relayVerdictByBoth } from './verdict';

export type VerifyRequest = Pick<RepublishInput, 'operatorUserId' | 'documentTypes' | 'machineIds'> & {
  /** Who tells a relay that wants to know who asks; absent: nobody. */
  asking?: AskAs | undefined;
};

export type AskAs =
  | { as: 'operator'; /** Told before the signer is asked. */ say(text: string): void }
  /** The machine's own key, for its documents alone. The caller wipes it. */
  | { as: 'machine'; secretKey: Uint8Array };

/** One document, as its machine would find it. */
export interface VerifiedDocument {
  documentType: string;
  machineId: string;
  machineName: string;
  /**
   * By the quorum; `no state`: the database has none, and no run has published any; `no key`: nobody can ask
   * for it.
   */
  verdict: RelayVerdict['state'] | 'no state' | 'no key';
  /** The event that stands by the ledger; null: no run has published one. */
  eventId: string | null;
  /** The run that has brought it there. */
  runId: string | null;
  /** By the relay's URL as it may be shown. */
  relays: Record<string, RelayVerdict>;
}

export interface Verification {
  operatorUserId: string;
  /** The account's current key, hex: the author for whom the machines ask. */
  operatorPubkey: string;
  quorum: number;
  documents: VerifiedDocument[];
  counts: Record<VerifiedDocument['verdict'], number>;
  /** Where the machines were looked for; only where the operator has none. */
  lookedIn?: string;
  /**
   * Types that runs have published under this key and that this process does not know: their documents were
   * not looked at.
   */
  unknownTypes: string[];
  /**
   * Relays that show nothing to somebody they do not know, and were not told who asks, or did not like the
   * answer.
   */
  unknownRelays: string[];
}

const CONNECT_TIMEOUT_MS = 5_000;
/** Machines whose documents are asked for together. */
const TOGETHER = 100;

/**
 * Asks every relay for every document as its machine would (author and kind, with `#d` and with `#p`), each
 * relay by itself and to its end, and holds the answers against what the ledger says that stands. Reads only,
 * and signs nothing unless somebody is named who may: a relay that answers only whom it knows (NIP-42) is
 * unknown.
 *
 * @throws RepublishError OperatorNotFound, MachineNotFound, UnknownDocumentType, DatabaseUnavailable,
 *   DatabaseMisconfigured
 */
export function verifyDocuments(
  configuration: WorkerConfiguration,
  request: VerifyRequest,
  given: GivenParts = {},
): Promise<Verification> {
  return withInspection(configuration, given, (deps) => verifyWith({ deps, configuration }, request));
}

export interface Verifying {
  deps: InspectionDependencies;
  configuration: WorkerConfiguration;
  /** Asked once for all operators that are verified together, by nobody. */
  relays?: Promise<RelayFacts[]>;
}

/** As verifyDocuments, with what is open already. */
export async function verifyWith(
  { deps, configuration, relays }: Verifying,
  request: VerifyRequest,
): Promise<Verification> {
  const { operatorUserId } = request;
  const documentTypes = resolveDocumentTypes(deps, request.documentTypes);
  const operatorPubkey = await accountPubkey(deps, operatorUserId);
  if (request.machineIds !== undefined) await requireMachines(deps, operatorUserId, request.machineIds);
  const machineIds = await machinesAsked(deps, request);
  const identity = identityOf(deps, { operatorUserId, operatorPubkey }, request.asking);
  const pool = new RelayPool({ connectTimeoutMs: CONNECT_TIMEOUT_MS });
  const reader = new RelayPublisher({
    pool,
    relays: configuration.relays,
    // Waits for the answer of each: a run may go on without the slowest, a verdict on that relay may not.
    quorum: 'all',
    replyTimeoutMs: configuration.relayTimeoutMs,
  });
  try {
    const probed = await (relays ?? probeRelays(configuration, { pool, identity, author: operatorPubkey }));
    const documents = await verifyAll(
      { deps, reader, configuration, operatorPubkey, documentTypes, probed },
      { ...request, ...(machineIds === undefined ? {} : { machineIds }) },
    );
    return {
      operatorUserId,
      operatorPubkey,
      quorum: deps.publisher.required,
      documents,
      counts: countsOf(documents),
      ...(documents.length === 0
        ? { lookedIn: whereMachinesAre(await deps.source.describe(), operatorUserId) }
        : {}),
      unknownTypes:
        request.documentTypes === undefined ? await unknownTypesInLedger(deps, operatorPubkey) : [],
      unknownRelays: unknownRelays(probed, documents),
    };
  } finally {
    reader.close();
    pool.close();
  }
}

function identityOf(
  deps: InspectionDependencies,
  owner: { operatorUserId: string; operatorPubkey: string },
  asking: AskAs | undefined,
): RelayIdentity | undefined {
  switch (asking?.as) {
    case undefined:
      return undefined;
    case 'machine':
      return asMachine(asking.secretKey);
    case 'operator':
      return asOperator(signerContext(deps), owner, (text) => asking.say(text));
  }
}

/** A relay that shows each key its own would hide the others from this machine. */
async function machinesAsked(
  deps: ReadOnlyDependencies,
  { operatorUserId, machineIds, asking }: VerifyRequest,
): Promise<string[] | undefined> {
  if (asking?.as !== 'machine') return machineIds;
  const pubkey = getPublicKey(asking.secretKey);
  for (let after: string | undefined; ;) {
    const machines = await deps.source.machines({ operatorUserId, after, machineIds, limit: TOGETHER });
    const own = machines.filter(({ machineNpub }) => publicKeyHex(machineNpub ?? '') === pubkey);
    if (own.length > 0) return own.map(({ id }) => id);
    if (machines.length < TOGETHER) break;
    after = machines.at(-1)?.id;
  }
  throw new RepublishError(
    'MachineNotFound',
    `no machine that was asked for has the key of the file (${pubkey}) as its machine_npub`,
  );
}

function unknownRelays(probed: readonly RelayFacts[], documents: readonly VerifiedDocument[]): string[] {
  const refusing = documents.flatMap(({ relays }) =>
    Object.entries(relays).flatMap(([relay, { detail }]) => (detail === WANTS_TO_KNOW ? relay : [])),
  );
  return [...new Set([...probed.flatMap(({ relay, isUnknown }) => (isUnknown ? relay : [])), ...refusing])];
}

interface Asking {
  deps: ReadOnlyDependencies;
  reader: RelayPublisher;
  configuration: WorkerConfiguration;
  operatorPubkey: string;
  documentTypes: string[];
  probed: readonly RelayFacts[];
}

async function verifyAll(asking: Asking, request: VerifyRequest): Promise<VerifiedDocument[]> {
  const { deps, operatorPubkey, documentTypes } = asking;
  const { operatorUserId, machineIds } = request;
  const verified: VerifiedDocument[] = [];
  for (let after: string | undefined; ;) {
    const machines = await deps.source.machines({ operatorUserId, after, machineIds, limit: TOGETHER });
    const keys = machines.flatMap((machine) => parsePublicKey(machine.machineNpub ?? '') ?? []);
    const rows = await standingDocuments(deps.database, operatorPubkey, documentTypes, keys);
    verified.push(...(await verifyMachines(asking, machines, rows)));
    if (machines.length < TOGETHER) return verified;
    after = machines.at(-1)?.id;
  }
}

async function verifyMachines(
  asking: Asking,
  machines: MachineRow[],
  rows: StandingRow[],
): Promise<VerifiedDocument[]> {
  const { deps, configuration, documentTypes } = asking;
  const standing = new Map(rows.map((row) => [dTag(row.documentType, row.atmPubkey), row]));
  const documents = machines.flatMap((machine) =>
    documentTypes.map((documentType) => {
      const atmPubkey = parsePublicKey(machine.machineNpub ?? '');
      if (atmPubkey === undefined) return { machine, documentType, d: undefined };
      return { machine, documentType, atmPubkey, d: dTag(documentType, atmPubkey) };
    }),
  );
  const seenAt = await lookByBoth(
    asking,
    documents.flatMap(({ documentType, atmPubkey }) =>
      atmPubkey === undefined ? [] : { documentType, atmPubkey },
    ),
  );
  return Promise.all(
    documents.map(async ({ machine, documentType, d }) => {
      const named = {
        documentType,
        machineId: machine.id,
        machineName: machine.name ?? machine.id,
        eventId: null,
        runId: null,
        relays: {},
      };
      if (d === undefined) return { ...named, verdict: 'no key' as const };
      const row = standing.get(d);
      if (row === undefined && !(await hasState(deps, documentType, machine.id)))
        return { ...named, verdict: 'no state' as const };
      const expected = row && { id: row.eventId, created_at: row.createdAtS };
      const { byD, byP } = seenAt.get(d) ?? NOT_SEEN;
      const relays = Object.fromEntries(
        [...byD].map(([url, sighting]) => {
          const relay = shownAmong(url, configuration.relays);
          const closed = asking.probed.find((facts) => facts.relay === relay && facts.isUnknown);
          const verdict = relayVerdictByBoth(sighting, byP?.get(url), expected);
          // A relay that asks and then says nothing would else be one that is silent.
          const isClosed = closed !== undefined && verdict.state === 'unknown';
          return [relay, isClosed ? { ...verdict, detail: closed.problem ?? WANTS_TO_KNOW } : verdict];
        }),
      );
      return {
        ...named,
        eventId: row?.eventId ?? null,
        runId: row?.runId ?? null,
        verdict: quorumVerdict(Object.values(relays), deps.publisher.required),
        relays,
      };
    }),
  );
}

/** What the relays have at a document's address; by `#p` only where the document names its machine so. */
interface SeenByBoth {
  byD: Seen;
  byP?: Seen;
}

const NOT_SEEN: SeenByBoth = { byD: new Map() };

/** In questions apart: of one with both filters nobody could say by which of them an event was found. */
async function lookByBoth(
  { deps, reader, operatorPubkey }: Asking,
  documents: readonly { documentType: string; atmPubkey: string }[],
): Promise<Map<string, SeenByBoth>> {
  const address = ({ documentType, atmPubkey }: (typeof documents)[number]): Address => ({
    kind: DOCUMENT_KIND,
    pubkey: operatorPubkey,
    d: dTag(documentType, atmPubkey),
  });
  const naming = documents.filter(({ documentType, atmPubkey }) =>
    namesMachine(requireType(deps, documentType), atmPubkey),
  );
  const [byD, byP] = await Promise.all([
    // Whoever is to be named was named over these connections before.
    reader.look(documents.map(address)),
    reader.look(naming.map((document) => ({ ...address(document), byP: document.atmPubkey }))),
  ]);
  const seen = new Map<string, SeenByBoth>(
    documents.map((document, index) => [address(document).d, { byD: byD[index] ?? new Map() }]),
  );
  for (const [index, document] of naming.entries()) {
    const { d } = address(document);
    seen.set(d, { ...(seen.get(d) ?? NOT_SEEN), byP: byP[index] ?? new Map() });
  }
  return seen;
}

/** A type whose tags cannot be made for this machine has published none with them. */
function namesMachine(type: DocumentType, atmPubkey: string): boolean {
  try {
    return tagsOf(type, atmPubkey).some(([name, value]) => name === 'p' && value === atmPubkey);
  } catch (thrown) {
    if (thrown instanceof RepublishError) return false;
    throw thrown;
  }
}

/** State that is not valid is state all the same: a machine waits for it. */
export async function hasState(
  deps: ReadOnlyDependencies,
  documentType: string,
  machineId: string,
): Promise<boolean> {
  const state = (await readStates(deps, documentType, [machineId])).get(machineId);
  if (state instanceof RepublishError && scopeOf(state.type) !== 'document') throw state;
  return state !== undefined;
}

function countsOf(documents: VerifiedDocument[]): Verification['counts'] {
  const counts: Verification['counts'] = {
    current: 0,
    newer: 0,
    older: 0,
    missing: 0,
    unknown: 0,
    'no state': 0,
    'no key': 0,
  };
  for (const { verdict } of documents) counts[verdict] += 1;
  return counts;
}
