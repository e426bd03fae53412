import {
  accountPubkey,
  requireExpectedKey,
  resolveDocumentTypes,
  unknownTypesInLedger,
} from '../activities/steps/open-run';
import type { ReadOnlyDependencies } from '../activities/dependencies';
import { requireMachines } from '../activities/load-machines';
import { isForced } from '../activities/steps/force';
import { type JudgedDocument, planMachines } from '../activities/steps/plan-machines';
import { type Failure, RepublishError, scopeOf } from '../contract/failures';
import type { RepublishInput } from '../contract/input';
import { newestSeals } from '../database/ledger/page';
import { findSigner, type SignerRow } from '../database/signers';
import { DOCUMENT_KIND, dTag } from '../documents/document-type';
import { missingRelays } from '../nostr/relays/missing-relays';
import type { RelayIdentity } from '../nostr/relays/identity';
import { RelayPool } from '../nostr/relays/pool';
import { RelayPublisher } from '../nostr/relays/publisher';
import { shownRelay } from '../nostr/relays/url';
import type { Owner, SignerOrigin, UnstoredSigner } from '../nostr/signers/operator-signers';
import { askSigner, requireOpens } from '../pairing/current-signers';
import { originOfKind, type SignerContext } from '../pairing/facts';
import { machinePages } from '../sources/machine-pages';
import { type MachineRow, type SourceDescription, whereMachinesAre } from '../sources/source';
import { readOnlyPublisher } from '../assembly/read-only';
import type { GivenParts } from '../assembly/parts';
import type { WorkerConfiguration } from '../assembly/worker-configuration';
import { estimateFor, type Estimate } from './estimate';
import { asOperator } from './asker';
import { type InspectionDependencies, signerContext, withInspection } from './open';
import { foresee, type ForeseenDocument } from './plan-document';
import { probeRelays, type RelayFacts } from './relay-probe';

export type PlanRequest = Pick<
  RepublishInput,
  'operatorUserId' | 'documentTypes' | 'machineIds' | 'expectedPubkey' | 'force' | 'resetCounts'
> & {
  /** Include for each document what would be sent. It is the machines' secret. */
  show?: boolean;
  /** Let the operator's signer authenticate to relays that require it. */
  auth?: boolean;
};

export interface SignerFacts {
  kind: (SignerRow | UnstoredSigner)['kind'];
  /** Where it comes from: paired here, found by a provider, or the account's own signer in LNbits. */
  from: SignerOrigin;
  /**
   * The key with which it was stored, hex. For a provider's signer and the account's own: the account's key.
   */
  pubkey: string;
  matchesAccount: boolean;
  /** Relays of a bunker. */
  relays: string[];
  /**
   * Whether it answered just now. Null: it was not asked, because nothing has to be signed or its key is
   * already wrong.
   */
  answers: boolean | null;
  /**
   * How often a run would ask LNbits' own bunker client. Null: another signer, or nothing has to be signed.
   */
  uses: SignerUses | null;
}

/**
 * Requests that a run sends with LNbits' own bunker client: one encryption and one signature per document if
 * nothing is asked twice, and one encryption for the proof. nsecbunkerd counts these two, and does not answer
 * once a cap is used up.
 */
export interface SignerUses {
  nip44_encrypt: number;
  sign_event: number;
  /** nsecbunkerd does not count these. */
  get_public_key: number;
}

/** What a run would do now. */
export interface RepublishPlan {
  operatorUserId: string;
  /** The account's current key, hex. */
  operatorPubkey: string;
  documentTypes: string[];
  documents: ForeseenDocument[];
  counts: Record<ForeseenDocument['action'], number>;
  /** The source that is read, and its preset. */
  source: SourceDescription;
  /** Where the machines were searched. Only present when the operator has none. */
  lookedIn?: string;
  /** How many documents the signer would have to sign. */
  toSign: number;
  /** How long the signer will take. Null: its speed is not known. */
  estimate: Estimate | null;
  /**
   * How many documents have an event at their address that is not ours: the extension published there
   * already.
   */
  standAlready: number;
  signer: SignerFacts | null;
  relays: RelayFacts[];
  /**
   * Relays to which LNbits' nostrclient publishes and which are not configured here, as they may be shown.
   */
  missingRelays: string[];
  /** Relays on which a document must be read back. */
  quorum: number;
  /** What would end a run before its first document, or leave all documents unpublished. */
  problems: Failure[];
}

/** Machines of one batch. */
const BATCH_SIZE = 100;

/**
 * What a run would do. The worker's own steps judge today's rows, ledger and relays. Nothing is signed or
 * written; a bunker is asked only for its public key.
 *
 * @param say is called with what a person must do meanwhile (a bunker that wants approval)
 * @param given replaces what the configuration names
 * @throws RepublishError OperatorNotFound, MachineNotFound, UnknownDocumentType, SignerUnlockFailed,
 *   DatabaseUnavailable, DatabaseMisconfigured
 */
export function planRepublish(
  configuration: WorkerConfiguration,
  request: PlanRequest,
  say: (text: string) => void,
  given: GivenParts = {},
): Promise<RepublishPlan> {
  return withInspection(configuration, given, async (deps) => {
    if (request.auth !== true)
      return planWith({ deps, configuration, relays: probeRelays(configuration), say }, request);
    const { operatorUserId } = request;
    const operatorPubkey = await accountPubkey(deps, operatorUserId);
    const identity = asOperator(signerContext(deps), { operatorUserId, operatorPubkey }, say);
    return planIntroduced({ deps, configuration, say, identity }, request);
  });
}

/** Uses connections on which the operator has authenticated, if a relay required it. */
async function planIntroduced(
  { deps, configuration, say, identity }: Omit<Planning, 'relays'> & { identity: RelayIdentity },
  request: PlanRequest,
): Promise<RepublishPlan> {
  const { relays, quorum, relayTimeoutMs: replyTimeoutMs } = configuration;
  const pool = new RelayPool();
  const publisher = new RelayPublisher({ pool, relays, quorum, replyTimeoutMs });
  try {
    const probed = await probeRelays(configuration, { pool, identity, author: identity.pubkey });
    const introduced = { ...deps, publisher: readOnlyPublisher(publisher) };
    return await planWith({ deps: introduced, configuration, relays: Promise.resolve(probed), say }, request);
  } finally {
    publisher.close();
    pool.close();
  }
}

export interface Planning {
  deps: InspectionDependencies;
  configuration: WorkerConfiguration;
  /** Asked once for all operators of the same call. */
  relays: Promise<RelayFacts[]>;
  say(text: string): void;
}

/** As planRepublish, with open dependencies. */
export async function planWith(
  { deps, configuration, relays: asked, say }: Planning,
  request: PlanRequest,
): Promise<RepublishPlan> {
  const { operatorUserId, machineIds, expectedPubkey } = request;
  const documentTypes = resolveDocumentTypes(deps, request.documentTypes);
  const operatorPubkey = await accountPubkey(deps, operatorUserId);
  if (machineIds !== undefined) await requireMachines(deps, operatorUserId, machineIds);
  const paired = (await findSigner(deps.database, operatorUserId)) ?? null;
  // With another secrets key every fingerprint differs, and every document would look changed.
  if (paired !== null) await requireOpens({ configuration }, paired);
  const problems: Failure[] = [];
  const [signer, documents, relays] = await Promise.all([
    signerNow(deps, { operatorUserId, operatorPubkey, paired }, expectedPubkey, problems),
    foreseeAll(deps, { ...request, documentTypes }, operatorPubkey),
    asked,
    noting(problems, () => deps.clock.requireRight()),
  ]);
  if (request.documentTypes === undefined)
    problems.push(...unknownTypes(await unknownTypesInLedger(deps, operatorPubkey), documentTypes));
  const toSign = documents.filter(({ needsSignature }) => needsSignature).length;
  const isAsked = signer !== undefined && problems.length === 0 && toSign > 0;
  const answers = isAsked
    ? await answersAsItShould({ ...signerContext(deps), operatorUserId, say }, signer, problems)
    : null;
  requireQuorum(relays, deps.publisher.required, problems);
  const source = await deps.source.describe();
  return {
    operatorUserId,
    operatorPubkey,
    documentTypes,
    documents,
    counts: countsOf(documents),
    source,
    ...(documents.length === 0 ? { lookedIn: whereMachinesAre(source, operatorUserId) } : {}),
    standAlready: documents.filter(({ standsAlready }) => standsAlready === true).length,
    toSign,
    estimate: signer === undefined ? null : await estimateFor(deps.database, operatorUserId, signer, toSign),
    signer: signer === undefined ? null : { ...factsOf(signer, operatorPubkey, toSign), answers },
    relays,
    missingRelays: missingRelays((await deps.source.nostrclientRelays()) ?? [], configuration.relays).map(
      shownRelay,
    ),
    quorum: deps.publisher.required,
    problems,
  };
}

function unknownTypes(types: string[], known: string[]): Failure[] {
  if (types.length === 0) return [];
  const message =
    `the ledger has documents of ${types.join(', ')}, which this process does not know ` +
    `(known are ${known.join(', ')}): a worker that is configured as this process refuses the run`;
  return [{ type: 'UnknownDocumentType', message }];
}

async function foreseeAll(
  deps: ReadOnlyDependencies,
  request: PlanRequest & { documentTypes: string[] },
  operatorPubkey: string,
): Promise<ForeseenDocument[]> {
  const foreseen: ForeseenDocument[] = [];
  for await (const machines of machinePages(deps.source, request, BATCH_SIZE))
    foreseen.push(...(await foreseeMachines(deps, request, operatorPubkey, machines)));
  return foreseen;
}

async function foreseeMachines(
  deps: ReadOnlyDependencies,
  request: PlanRequest & { documentTypes: string[] },
  operatorPubkey: string,
  machines: MachineRow[],
): Promise<ForeseenDocument[]> {
  const { documents, states } = await planMachines(
    deps,
    { ...request, operatorPubkey },
    machines,
    new AbortController().signal,
  );
  const addressOf = ({ documentType, atmPubkey }: JudgedDocument): string =>
    dTag(documentType, atmPubkey ?? '');
  const asked = documents.filter(({ outcome, atmPubkey }) => outcome === null && atmPubkey !== null);
  const keys = asked.flatMap(({ atmPubkey }) => atmPubkey ?? []);
  const [seen, earlier] = await Promise.all([
    // Without an identity: authentication would need a signature.
    deps.publisher.look(
      asked.map((document) => ({ kind: DOCUMENT_KIND, pubkey: operatorPubkey, d: addressOf(document) })),
    ),
    Promise.all(
      request.documentTypes.map(async (documentType) =>
        newestSeals(deps.database, { operatorPubkey, documentType }, keys, ''),
      ),
    ),
  ]);
  const seenAt = new Map(asked.map((document, index) => [addressOf(document), seen[index]]));
  return Promise.all(
    documents.map((document) =>
      foresee(deps, {
        document,
        state: states.get(addressOf(document)),
        operatorPubkey,
        seen: seenAt.get(addressOf(document)) ?? new Map(),
        earlier: earlier[request.documentTypes.indexOf(document.documentType)]?.get(document.atmPubkey ?? ''),
        force: isForced(deps, document.documentType, request),
        show: request.show === true,
      }),
    ),
  );
}

/**
 * What the first activity of a run would find. Each failure is a problem of the plan, so that the rest is
 * shown as well.
 */
async function signerNow(
  { operatorSigners }: ReadOnlyDependencies,
  { paired, ...owner }: Owner & { paired: SignerRow | null },
  expectedPubkey: string | undefined,
  problems: Failure[],
): Promise<SignerRow | UnstoredSigner | undefined> {
  await noting(problems, () => requireExpectedKey(owner.operatorPubkey, expectedPubkey));
  // A paired signer is shown even when it cannot be used.
  let signer: SignerRow | UnstoredSigner | undefined = paired ?? undefined;
  await noting(problems, async () => {
    signer = await operatorSigners.current(owner, paired);
  });
  return signer;
}

async function answersAsItShould(
  context: SignerContext,
  signer: SignerRow | UnstoredSigner,
  problems: Failure[],
): Promise<boolean> {
  return noting(problems, async () => {
    const { kind, pubkey, accountPubkey: key, matchesAccount } = await askSigner(context, signer);
    if (!matchesAccount)
      throw new RepublishError(
        'SignerPubkeyMismatch',
        `the ${kind} signer says that it signs as ${pubkey}, the account's public key is ${key ?? 'not set'}`,
      );
  });
}

/** Runs `work` and notes a named failure. @returns whether it succeeded */
async function noting(problems: Failure[], work: () => unknown): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (thrown) {
    if (!(thrown instanceof RepublishError) || scopeOf(thrown.type) === 'database') throw thrown;
    problems.push({ type: thrown.type, message: thrown.message });
    return false;
  }
}

function requireQuorum(relays: RelayFacts[], required: number, problems: Failure[]): void {
  const away = relays.filter(({ reachable }) => !reachable);
  if (relays.length - away.length >= required) return;
  const why = away.map(({ relay, problem }) => `${relay}: ${problem ?? 'not reachable'}`).join('; ');
  problems.push({
    type: 'RelayQuorumNotReached',
    message:
      `${relays.length - away.length} of ${relays.length} relays are reachable, ${required} are ` +
      `required; ${why}`,
  });
}

/** @param toSign how many documents would be signed */
export function factsOf(
  signer: SignerRow | UnstoredSigner,
  operatorPubkey: string,
  toSign: number,
): Omit<SignerFacts, 'answers'> {
  const { kind, pubkey } = signer;
  return {
    kind,
    from: originOfKind(kind),
    pubkey,
    matchesAccount: pubkey === operatorPubkey,
    relays: 'bunkerPubkey' in signer ? (signer.bunkerRelays ?? []).map(shownRelay) : [],
    uses:
      kind === 'lnbits-bunker' && toSign > 0
        ? { nip44_encrypt: toSign + 1, sign_event: toSign, get_public_key: 1 }
        : null,
  };
}

function countsOf(documents: ForeseenDocument[]): RepublishPlan['counts'] {
  const counts: RepublishPlan['counts'] = { publish: 0, unchanged: 0, skipped: 0, invalid: 0 };
  for (const { action } of documents) counts[action] += 1;
  return counts;
}
