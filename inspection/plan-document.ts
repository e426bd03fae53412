import type { ActivityDependencies } from '../activities/dependencies';
import { judgeSeal } from '../activities/steps/judge-seal';
import type { PlannedState, planMachines } from '../activities/steps/plan-machines';
import { sizeOfDocument } from '../activities/steps/relay-limits';
import { type Failure, RepublishError } from '../contract/failures';
import { type DocumentAddress, sealedAmong } from '../database/ledger/documents';
import { newestSeals } from '../database/ledger/page';
import type { PlannedDocument } from '../database/ledger/plan';
import { DOCUMENT_KIND, dTag } from '../documents/document-type';
import type { Sighting } from '../nostr/relays/publisher';

/** What a run would do with one document. */
export interface ForeseenDocument {
  documentType: string;
  machineId: string;
  machineName: string;
  /** Outcomes of a run: publish → `published`, unchanged → `unchanged`, skipped → `skipped`, invalid → `failed`. */
  action: 'publish' | 'unchanged' | 'skipped' | 'invalid';
  /** One sentence for a person. */
  because: string;
  needsSignature: boolean;
  /** What the machine itself counts and this document would set, where it would be signed. */
  warning?: string;
  /** What would be sent, where that was asked for: d tag, all tags, and the JSON as the machine decrypts it, which is its secret. */
  d?: string;
  tags?: string[][];
  json?: string;
  /** An event of the same address stands on a relay, and no run of ours has signed it. */
  standsAlready?: boolean;
  /** Why it is invalid. */
  failure?: Failure;
  /** UTF-8 bytes of the state. */
  plaintextBytes?: number;
  /** Bytes of `["EVENT", …]` with it, encrypted and signed, which is what relays limit. */
  eventBytes?: number;
  /** How many relays have the event that would be published, already; absent where it is not signed yet. */
  holding?: number;
}

interface Known {
  document: Omit<PlannedDocument, 'page'>;
  plan: Awaited<ReturnType<typeof planMachines>>;
  operatorPubkey: string;
  /** Whether this document is to be signed anew even if it stands unchanged. */
  force: boolean;
  /** Whether what would be sent is told. */
  show: boolean;
}

const BECAUSE = {
  first: 'not published under this key yet',
  unsigned: 'an earlier run has not come as far as the signature',
  changed: 'its state has changed since it was published',
  'other key':
    'the secrets key is another than when it was published, so it cannot be told whether its state has changed',
  'newer stands': 'a newer document of somebody else stands there, and is replaced by the state of today',
  forced: 'unchanged, and signed anew with --force',
};

/** Judges one document of a plan by the ledger and by what the relays hold, as its seal would. */
export async function foresee(deps: ActivityDependencies, known: Known): Promise<ForeseenDocument> {
  const { document, plan, operatorPubkey, force } = known;
  const { documentType, machineId, machineName, atmPubkey, outcome, failureType, failureMessage } = document;
  const d = dTag(documentType, atmPubkey ?? '');
  const state = plan.states.get(d);
  const named = {
    documentType,
    machineId,
    machineName,
    needsSignature: false,
    ...(state === undefined ? {} : factsOf(state, known.show)),
  };
  if (outcome === 'skipped')
    return { ...named, action: 'skipped', because: failureMessage ?? 'has no state' };
  if (outcome === 'failed' || atmPubkey === null) {
    return invalid(named, { type: failureType ?? 'StateInvalid', message: failureMessage ?? '' });
  }

  const [seen, seals] = await Promise.all([
    // Without an identity: a relay that demands to know who asks would need a signature for that.
    deps.publisher.look({ kind: DOCUMENT_KIND, pubkey: operatorPubkey, d }),
    newestSeals(deps.database, { operatorPubkey, documentType }, [atmPubkey], ''),
  ]);
  try {
    const verdict = await judgeSeal(deps, {
      d,
      seen,
      earlier: seals.get(atmPubkey),
      stateFingerprint: state?.fingerprint ?? '',
      force,
      nowS: Math.floor(Date.now() / 1000),
    });
    if (verdict.kind === 'anew') {
      return {
        ...named,
        action: 'publish',
        because: BECAUSE[verdict.because],
        needsSignature: true,
        ...(state?.resets === undefined ? {} : { warning: state.resets }),
        ...((await hasForeign(deps, { operatorPubkey, documentType, atmPubkey }, seen))
          ? { standsAlready: true }
          : {}),
      };
    }
    const holding = [...seen.values()].filter(
      (sighting) => sighting.kind === 'event' && sighting.event.id === verdict.event.id,
    ).length;
    const silent = [...seen.values()].filter(({ kind }) => kind === 'unknown').length;
    const stands = holding >= deps.publisher.required;
    return {
      ...named,
      action: stands ? 'unchanged' : 'publish',
      because: `signed already; ${holding} of ${seen.size} relays have it${stands ? '' : `, ${deps.publisher.required} must`}${silent > 0 ? `; ${silent} could not be looked at` : ''}`,
      holding,
    };
  } catch (thrown) {
    if (!(thrown instanceof RepublishError) || thrown.type !== 'NewerDocumentExists') throw thrown;
    return invalid(named, { type: thrown.type, message: thrown.message });
  }
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

/** Somebody else has published there already: the extension does, under the new key, as soon as it has it. */
async function hasForeign(
  deps: ActivityDependencies,
  address: DocumentAddress,
  seen: Map<string, Sighting>,
): Promise<boolean> {
  const ids = new Set(
    [...seen.values()].flatMap((sighting) => (sighting.kind === 'event' ? [sighting.event.id] : [])),
  );
  if (ids.size === 0) return false;
  return (await sealedAmong(deps.database, address, [...ids])).length < ids.size;
}

function invalid(named: Omit<ForeseenDocument, 'action' | 'because'>, failure: Failure): ForeseenDocument {
  return { ...named, action: 'invalid', because: failure.message, failure };
}
