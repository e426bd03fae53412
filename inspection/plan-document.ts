import type { ReadOnlyDependencies } from '../activities/dependencies';
import { judgeSealFor } from '../activities/steps/judge-seal';
import type { JudgedDocument, PlannedState } from '../activities/steps/plan-machines';
import { sizeOfDocument } from '../activities/steps/relay-objections';
import { type Failure, RepublishError } from '../contract/failures';
import { type DocumentAddress, type EarlierSeal, sealedAmong } from '../database/ledger/documents';
import { dTag } from '../documents/document-type';
import { eventsIn, type Seen } from '../nostr/relays/seen';
import { newestOf } from '../rules/newest';
import { shownBy } from '../rules/quorum';
import { NO_STATE } from '../rules/plan';

/** What a run would do with one document. */
export interface ForeseenDocument {
  documentType: string;
  machineId: string;
  machineName: string;
  /**
   * Outcomes of a run: publish → `published`, unchanged → `unchanged`, skipped → `skipped`, invalid →
   * `failed`.
   */
  action: 'publish' | 'unchanged' | 'skipped' | 'invalid';
  /** One sentence for a person. */
  because: string;
  needsSignature: boolean;
  /**
   * Warns that the document sets values which the machine counts itself. Only present if it would be signed.
   */
  warning?: string;
  /** The part of the warning that is about this machine alone. */
  warningOfMachine?: string;
  /**
   * What would be sent, if that was asked for: d tag, all tags, and the JSON as the machine decrypts it. It
   * is the machine's secret.
   */
  d?: string;
  tags?: string[][];
  json?: string;
  /** An event that no run of ours signed stands at this address. */
  standsAlready?: boolean;
  /** Why it is invalid. */
  failure?: Failure;
  /** UTF-8 bytes of the state. */
  plaintextBytes?: number;
  /** Bytes of `["EVENT", …]` with the encrypted and signed document. Relays limit this size. */
  eventBytes?: number;
  /** How many relays already have the event that would be published. Absent: it is not signed yet. */
  holding?: number;
}

export interface KnownOfDocument {
  document: JudgedDocument;
  /** What would be sent. Undefined: nothing. */
  state: PlannedState | undefined;
  operatorPubkey: string;
  /** What the relays have at the address. */
  seen: Seen;
  /** The newest seal of any run. */
  earlier: EarlierSeal | undefined;
  /** Whether the document is signed again even when it is unchanged. */
  force: boolean;
  /** Whether the result contains what would be sent. */
  show: boolean;
}

const BECAUSE = {
  first: 'not published under this key yet',
  unsigned: 'an earlier run has not come as far as the signature',
  changed: 'its state has changed since it was published',
  'other key':
    'the secrets key is another than when it was published, so nobody can tell whether its ' +
    'state has changed',
  'newer stands': 'a newer document of somebody else stands there, and is replaced by the state of today',
  'too old':
    'the event of an earlier run is older than the relays take (created_at_lower_limit), and does ' +
    'not stand there',
  forced: 'unchanged, and signed again with --force',
};

/** Judges one document of a plan by the ledger and the relays, with the rule of the seal. */
export async function foresee(deps: ReadOnlyDependencies, known: KnownOfDocument): Promise<ForeseenDocument> {
  const { document, state, operatorPubkey, seen, earlier, force } = known;
  const { documentType, machineId, machineName, atmPubkey, outcome, failureType, failureMessage } = document;
  const named = {
    documentType,
    machineId,
    machineName,
    needsSignature: false,
    ...(state === undefined ? {} : factsOf(state, known.show)),
  };
  if (outcome === 'skipped') return { ...named, action: 'skipped', because: failureMessage ?? NO_STATE };
  if (outcome === 'failed' || atmPubkey === null) {
    return invalid(named, { type: failureType ?? 'StateInvalid', message: failureMessage ?? '' });
  }
  const events = eventsIn(seen);
  const verdict = await judgeSealFor(
    deps,
    { d: dTag(documentType, atmPubkey), seen },
    {
      standing: newestOf(events),
      earlier,
      stateFingerprint: state?.fingerprint ?? '',
      force,
      readAtS: Math.floor(Date.now() / 1000),
    },
  ).catch(newerDocument);
  if (verdict instanceof RepublishError)
    return invalid(named, { type: verdict.type, message: verdict.message });
  if (verdict.kind === 'reuse') return signedAlready(deps, named, seen, verdict.event.id);
  const address = { operatorPubkey, documentType, atmPubkey };
  return {
    ...named,
    action: 'publish',
    because: BECAUSE[verdict.because],
    needsSignature: true,
    ...warningsOf(state?.resets),
    ...((await hasForeign(deps, address, events)) ? { standsAlready: true } : {}),
  };
}

function warningsOf(resets: PlannedState['resets']): Pick<ForeseenDocument, 'warning' | 'warningOfMachine'> {
  if (resets === undefined) return {};
  const { everyMachine, thisMachine } = resets;
  return { warning: everyMachine, ...(thisMachine === undefined ? {} : { warningOfMachine: thisMachine }) };
}

/** The failure that a run would have. @throws any other error */
function newerDocument(thrown: unknown): RepublishError {
  if (thrown instanceof RepublishError && thrown.type === 'NewerDocumentExists') return thrown;
  throw thrown;
}

function signedAlready(
  { publisher }: ReadOnlyDependencies,
  named: Omit<ForeseenDocument, 'action' | 'because'>,
  seen: Seen,
  eventId: string,
): ForeseenDocument {
  const sightings = [...seen.values()];
  const holding = sightings.filter((each) => shownBy(each)?.id === eventId).length;
  const silent = sightings.filter(({ kind }) => kind === 'unknown').length;
  const stands = holding >= publisher.required;
  return {
    ...named,
    action: stands ? 'unchanged' : 'publish',
    because: [
      `signed already; ${holding} of ${seen.size} relays have it`,
      stands ? '' : `, ${publisher.required} must`,
      silent > 0 ? `; ${silent} could not be looked at` : '',
    ].join(''),
    holding,
  };
}

function factsOf(
  { plaintext, plaintextBytes, tags }: PlannedState,
  show: boolean,
): Partial<ForeseenDocument> {
  return {
    plaintextBytes,
    eventBytes: sizeOfDocument(tags, plaintextBytes).messageBytes,
    ...(show ? { d: tags[0]?.[1] ?? '', tags, json: plaintext } : {}),
  };
}

/**
 * Whether an event of another program stands there: the extension publishes under the new key as soon as it
 * has it.
 */
async function hasForeign(
  deps: ReadOnlyDependencies,
  address: DocumentAddress,
  events: { id: string }[],
): Promise<boolean> {
  const ids = new Set(events.map(({ id }) => id));
  if (ids.size === 0) return false;
  return (await sealedAmong(deps.database, address, [...ids])).length < ids.size;
}

function invalid(named: Omit<ForeseenDocument, 'action' | 'because'>, failure: Failure): ForeseenDocument {
  return { ...named, action: 'invalid', because: failure.message, failure };
}
