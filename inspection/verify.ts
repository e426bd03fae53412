import { accountPubkey, resolveDocumentTypes, unknownTypesInLedger } from '../activities/steps/open-run';
import type { ActivityDependencies } from '../activities/dependencies';
import { requireMachines } from '../activities/load-machines';
import { readStates } from '../activities/steps/read-state';
import { RepublishError, scopeOf } from '../contract/failures';
import type { RepublishInput } from '../contract/input';
import { standingDocuments, type StandingRow } from '../database/ledger/standing';
import type { MachineRow } from '../sources/source';
import { DOCUMENT_KIND, dTag } from '../documents/document-type';
import { parsePublicKey } from '../nostr/keys';
import { RelayPool } from '../nostr/relays/pool';
import { RelayPublisher } from '../nostr/relays/publisher';
import { shownAmong } from '../nostr/relays/url';
import type { WorkerConfiguration } from '../worker/build-dependencies';
import { withWorkersEyes } from './open';
import { quorumVerdict, type RelayVerdict, relayVerdict } from './verdict';

export type VerifyRequest = Pick<RepublishInput, 'operatorUserId' | 'documentTypes' | 'machineIds'>;

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
  /**
   * Types that runs have published under this key and that this process does not know: their documents were
   * not looked at.
   */
  unknownTypes: string[];
}

const CONNECT_TIMEOUT_MS = 5_000;
/** Machines whose documents are asked for together. */
const TOGETHER = 100;

/**
 * Asks every relay for every document as its machine would (author, kind, d), each relay by itself and to its
 * end, and holds the answers against what the ledger says that stands. Reads only, and signs nothing: a relay
 * that answers only whom it knows (NIP-42) says so.
 *
 * @throws RepublishError OperatorNotFound, MachineNotFound, UnknownDocumentType, DatabaseUnavailable,
 *   DatabaseMisconfigured
 */
export function verifyDocuments(
  configuration: WorkerConfiguration,
  request: VerifyRequest,
): Promise<Verification> {
  return withWorkersEyes(configuration, (deps) => verifyWith({ deps, configuration }, request));
}

/** As verifyDocuments, with what is open already. */
export async function verifyWith(
  { deps, configuration }: { deps: ActivityDependencies; configuration: WorkerConfiguration },
  request: VerifyRequest,
): Promise<Verification> {
  const { operatorUserId, machineIds } = request;
  const documentTypes = resolveDocumentTypes(deps, request.documentTypes);
  const operatorPubkey = await accountPubkey(deps, operatorUserId);
  if (machineIds !== undefined) await requireMachines(deps, operatorUserId, machineIds);
  const pool = new RelayPool({ connectTimeoutMs: CONNECT_TIMEOUT_MS });
  const reader = new RelayPublisher({
    pool,
    relays: configuration.relays,
    // Waits for the answer of each: a run may go on without the slowest, a verdict on that relay may not.
    quorum: 'all',
    replyTimeoutMs: configuration.relayTimeoutMs,
  });
  try {
    const documents = await verifyAll(
      { deps, reader, configuration, operatorPubkey, documentTypes },
      request,
    );
    return {
      operatorUserId,
      operatorPubkey,
      quorum: deps.publisher.required,
      documents,
      counts: countsOf(documents),
      unknownTypes:
        request.documentTypes === undefined ? await unknownTypesInLedger(deps, operatorPubkey) : [],
    };
  } finally {
    reader.close();
    pool.close();
  }
}

interface Asking {
  deps: ActivityDependencies;
  reader: RelayPublisher;
  configuration: WorkerConfiguration;
  operatorPubkey: string;
  documentTypes: string[];
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
  { deps, reader, configuration, operatorPubkey, documentTypes }: Asking,
  machines: MachineRow[],
  rows: StandingRow[],
): Promise<VerifiedDocument[]> {
  const standing = new Map(rows.map((row) => [dTag(row.documentType, row.atmPubkey), row]));
  const documents = machines.flatMap((machine) =>
    documentTypes.map((documentType) => {
      const atmPubkey = parsePublicKey(machine.machineNpub ?? '');
      return { machine, documentType, d: atmPubkey && dTag(documentType, atmPubkey) };
    }),
  );
  const withKey = documents.flatMap(({ d }) => d ?? []);
  const looks = await reader.look(withKey.map((d) => ({ kind: DOCUMENT_KIND, pubkey: operatorPubkey, d })));
  const seenAt = new Map(withKey.map((d, index) => [d, looks[index] ?? new Map()]));
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
      const relays = Object.fromEntries(
        [...(seenAt.get(d) ?? [])].map(([url, sighting]) => [
          shownAmong(url, configuration.relays),
          relayVerdict(sighting, expected),
        ]),
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

/** State that is not valid is state all the same: a machine waits for it. */
export async function hasState(
  deps: ActivityDependencies,
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
