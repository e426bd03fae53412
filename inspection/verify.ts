import { accountPubkey, resolveDocumentTypes, unknownTypesInLedger } from '../activities/steps/open-run';
import type { ReadOnlyDependencies } from '../activities/dependencies';
import { requireMachines } from '../activities/load-machines';
import { readStates, requireType } from '../activities/steps/read-state';
import { RepublishError, scopeOf } from '../contract/failures';
import type { RepublishInput } from '../contract/input';
import { standingDocuments, type StandingRow } from '../database/ledger/standing';
import { machinePages } from '../sources/machine-pages';
import { type MachineRow, whereMachinesAre } from '../sources/source';
import { DOCUMENT_KIND, type DocumentType, dTag, tagsOf } from '../documents/document-type';
import type { Address } from '../nostr/events';
import { isPaired } from '../rules/plan';
import { getPublicKey, parsePublicKey, publicKeyHex } from '../nostr/keys';
import type { RelayIdentity } from '../nostr/relays/identity';
import { RelayPool } from '../nostr/relays/pool';
import { RelayPublisher } from '../nostr/relays/publisher';
import type { Seen } from '../nostr/relays/seen';
import { shownAmong } from '../nostr/relays/url';
import type { GivenParts } from '../assembly/parts';
import type { WorkerConfiguration } from '../assembly/worker-configuration';
import { asMachine, asOperator, REQUIRES_AUTH } from './asker';
import { type InspectionDependencies, signerContext, withInspection } from './open';
import { probeRelays, type RelayFacts } from './relay-probe';
import { quorumVerdict, type RelayVerdict, relayVerdictByBoth } from './verdict';

export type VerifyRequest = Pick<RepublishInput, 'operatorUserId' | 'documentTypes' | 'machineIds'> & {
  /** Who authenticates to relays that require it. Absent: nobody. */
  asking?: AskAs | undefined;
};

export type AskAs =
  | { as: 'operator'; /** Called before the signer is asked. */ say(text: string): void }
  /** The machine's own key, for its own documents only. The caller wipes it. */
  | { as: 'machine'; secretKey: Uint8Array };

/** One document, as its machine would find it. */
export interface VerifiedDocument {
  documentType: string;
  machineId: string;
  machineName: string;
  /**
   * By the quorum. `no state`: the source has none, and no run published one. `not paired`: the machine has
   * no key yet. `invalid key`: its key is no public key, so no run can publish for it.
   */
  verdict: RelayVerdict['state'] | 'no state' | 'not paired' | 'invalid key';
  /** The event that stands according to the ledger. Null: no run published one. */
  eventId: string | null;
  /** The run that published it. */
  runId: string | null;
  /** By the relay's URL as it may be shown. */
  relays: Record<string, RelayVerdict>;
}

export interface Verification {
  operatorUserId: string;
  /** The account's current key, hex. The machines ask for this author. */
  operatorPubkey: string;
  quorum: number;
  documents: VerifiedDocument[];
  counts: Record<VerifiedDocument['verdict'], number>;
  /** Where the machines were searched. Only present when the operator has none. */
  lookedIn?: string;
  /**
   * Document types that runs published under this key and that this process does not know. Their documents
   * were not checked.
   */
  unknownTypes: string[];
  /** Relays that require authentication, and did not get it or refused it. */
  unknownRelays: string[];
}

/** Machines of one batch. */
const BATCH_SIZE = 100;

/**
 * Asks every relay for every document as its machine would (author and kind, with `#d` and with `#p`). Waits
 * for the complete answer of each relay, and compares it with the ledger. Signs nothing unless the request
 * names who authenticates (NIP-42).
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
  /** Asked once for all operators of the same call, without authentication. */
  relays?: Promise<RelayFacts[]>;
}

/** As verifyDocuments, with open dependencies. */
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
  const pool = new RelayPool();
  const reader = new RelayPublisher({
    pool,
    relays: configuration.relays,
    // Waits for every relay. A run can continue without the slowest one, a verdict on that relay cannot.
    quorum: 'all',
    replyTimeoutMs: configuration.relayTimeoutMs,
  });
  try {
    const probed = await (relays ?? probeRelays(configuration, { pool, identity, author: operatorPubkey }));
    const documents = await verifyAll(
      { deps, reader, identity, configuration, operatorPubkey, documentTypes, probed },
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

/** With a machine's key, only that machine is checked: a relay can hide the documents of others from it. */
async function machinesAsked(
  deps: ReadOnlyDependencies,
  request: VerifyRequest,
): Promise<string[] | undefined> {
  const { asking, machineIds } = request;
  if (asking?.as !== 'machine') return machineIds;
  const pubkey = getPublicKey(asking.secretKey);
  for await (const machines of machinePages(deps.source, request, BATCH_SIZE)) {
    const own = machines.filter(({ machineNpub }) => publicKeyHex(machineNpub ?? '') === pubkey);
    if (own.length > 0) return own.map(({ id }) => id);
  }
  throw new RepublishError(
    'MachineNotFound',
    `no machine that was asked for has the key of the file (${pubkey}) as its machine_npub`,
  );
}

function unknownRelays(probed: readonly RelayFacts[], documents: readonly VerifiedDocument[]): string[] {
  const refusing = documents.flatMap(({ relays }) =>
    Object.entries(relays).flatMap(([relay, { detail }]) => (detail === REQUIRES_AUTH ? relay : [])),
  );
  return [...new Set([...probed.flatMap(({ relay, isUnknown }) => (isUnknown ? relay : [])), ...refusing])];
}

interface Asking {
  deps: ReadOnlyDependencies;
  reader: RelayPublisher;
  /** Who asks; absent: nobody. */
  identity: RelayIdentity | undefined;
  configuration: WorkerConfiguration;
  operatorPubkey: string;
  documentTypes: string[];
  probed: readonly RelayFacts[];
}

async function verifyAll(asking: Asking, request: VerifyRequest): Promise<VerifiedDocument[]> {
  const { deps, operatorPubkey, documentTypes } = asking;
  const verified: VerifiedDocument[] = [];
  for await (const machines of machinePages(deps.source, request, BATCH_SIZE)) {
    const keys = machines.flatMap((machine) => parsePublicKey(machine.machineNpub ?? '') ?? []);
    const rows = await standingDocuments(deps.database, operatorPubkey, documentTypes, keys);
    verified.push(...(await verifyMachines(asking, machines, rows)));
  }
  return verified;
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
      if (d === undefined)
        return {
          ...named,
          verdict: isPaired(machine.machineNpub) ? ('invalid key' as const) : ('not paired' as const),
        };
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
          // Otherwise a relay that sends a challenge and then nothing would look like a silent one.
          const isClosed = closed !== undefined && verdict.state === 'unknown';
          return [relay, isClosed ? { ...verdict, detail: closed.problem ?? REQUIRES_AUTH } : verdict];
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

/**
 * What the relays have at a document's address. `byP` is only asked if the document has a `p` tag for its
 * machine.
 */
interface SeenByBoth {
  byD: Seen;
  byP?: Seen;
}

const NOT_SEEN: SeenByBoth = { byD: new Map() };

/** In separate requests: in one request with both filters, nothing shows which filter found an event. */
async function lookByBoth(
  { deps, reader, identity, operatorPubkey }: Asking,
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
    // The authentication was done before, over these connections. A relay may have forgotten it.
    reader.look(documents.map(address), identity),
    reader.look(
      naming.map((document) => ({ ...address(document), byP: document.atmPubkey })),
      identity,
    ),
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

/** Tags that cannot be made for this machine were never published. */
function namesMachine(type: DocumentType, atmPubkey: string): boolean {
  try {
    return tagsOf(type, atmPubkey).some(([name, value]) => name === 'p' && value === atmPubkey);
  } catch (thrown) {
    if (thrown instanceof RepublishError) return false;
    throw thrown;
  }
}

/** Invalid state counts as state: the machine waits for a document. */
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
    'not paired': 0,
    'invalid key': 0,
  };
  for (const { verdict } of documents) counts[verdict] += 1;
  return counts;
}
