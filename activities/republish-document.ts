import type { GoodOutcome, RepublishDocumentInput, RepublishDocumentResult } from '../contract/activities';
import { RepublishError } from '../contract/failures';
import type { Outcome } from '../contract/progress';
import type { AttemptRow, Kept, Settlement } from '../database/ledger/attempts';
import {
  type DocumentKey,
  type DocumentRow,
  recordFailedAttempt,
  recordRelays,
  type SealedEvent,
} from '../database/ledger/documents';
import { isAuthentic } from '../nostr/events';
import type { SignerCall } from '../nostr/signers/signer';
import type { Placement, PlaceOptions } from '../nostr/relays/publisher';
import type { ActivityCall, ActivityDependencies } from './dependencies';
import type { Forced } from './steps/force';
import { patientPauseMs } from './steps/patience';
import { relayIdentity } from './steps/relay-identity';
import { seal } from './steps/seal';
import { lendSigner, type SignerLoan } from './steps/use-signer';

/**
 * Brings one document to its outcome in four steps, each of them a fact in the ledger before the next begins: seal, sign,
 * publish, confirm. A retry takes up behind the last fact, so that all attempts end in the same event.
 *
 * A cancellation stops it up to the signature; from there on the document is finished, since relays may have it already.
 */
export async function republishDocument(
  deps: ActivityDependencies,
  input: RepublishDocumentInput,
  call: ActivityCall,
): Promise<RepublishDocumentResult> {
  const { workflowId } = call;
  const named = typeof input === 'number' ? { document: input } : input;
  const row = await deps.ledger.begin('document' in named ? { ...named, workflowId } : named);
  if (row === undefined) throw notInLedger(input, workflowId);
  call.onDocument(row);
  const outcome = await bringToOutcome(deps, row, 'force' in named ? named : {}, call);
  if ('document' in named) return outcome === 'published' ? undefined : outcome;
  return { outcome };
}

function notInLedger(input: RepublishDocumentInput, workflowId: string): RepublishError {
  const named = typeof input === 'number' ? `number ${input}` : JSON.stringify(input);
  return new RepublishError(
    'Unexpected',
    `the ledger has no document ${named} in a run of ${workflowId}: if it was put back to an earlier state, cancel the run and start again`,
  );
}

async function bringToOutcome(
  deps: ActivityDependencies,
  row: AttemptRow,
  forced: Forced,
  { attempt, signerCall }: ActivityCall,
): Promise<GoodOutcome> {
  // An earlier attempt got this far, and only its answer was lost.
  if (row.outcome !== null) return standing(row.outcome, row.event?.id);
  const loan = lendSigner(deps, row, row.signer);
  try {
    const sealed =
      row.event === null ? await seal(deps, row, forced, signerCall, loan) : { row, seen: undefined };
    if (row.event === null) deps.failpoint('after-seal');
    const event = requireEvent(sealed.row);
    const { signature, outcome } =
      sealed.row.signature === null
        ? await sign(deps, row, loan, event, signerCall)
        : { signature: sealed.row.signature, outcome: null };
    // Another attempt has brought it to its end while the signer was asked, or the run was closed.
    if (outcome !== null || signature === null) return standing(outcome, event.id);
    const identity = relayIdentity(deps, row.operatorUserId, event.pubkey, signerCall);
    const signed = { ...event, sig: signature };
    return await publish(deps, row, signed, sealed.row.reused, { seen: sealed.seen, identity, attempt });
  } catch (thrown) {
    if (thrown instanceof RepublishError) {
      // For whoever looks at the ledger meanwhile; the failure itself goes its way also when this cannot be written.
      await recordFailedAttempt(deps.database, row, thrown).catch(() => undefined);
      deps.telemetry?.attemptFailed(row.documentType, thrown.type);
    }
    throw thrown;
  }
}

async function sign(
  deps: ActivityDependencies,
  key: DocumentKey,
  loan: SignerLoan,
  event: SealedEvent,
  signerCall: SignerCall,
): Promise<Kept> {
  const signed = await loan.use((signer) => signer.signEvent(event, signerCall));
  deps.failpoint('after-sign');
  const kept = await deps.ledger.keepSignature(key, signed.sig);
  if (kept === undefined) throw new RepublishError('Unexpected', 'the document is gone from the ledger');
  return kept;
}

async function publish(
  deps: ActivityDependencies,
  key: DocumentKey,
  event: SealedEvent & { sig: string },
  reused: boolean,
  { attempt, ...options }: PlaceOptions & { attempt: number },
): Promise<GoodOutcome> {
  if (!isAuthentic(event)) {
    throw new RepublishError(
      'SignerReturnedWrongEvent',
      'the signature in the ledger does not fit the sealed event',
    );
  }
  const placement = await deps.publisher.place(event, options);
  if (placement.newer !== undefined) {
    // The operator saved a change meanwhile: theirs stands, an older state must not come back.
    const settled = {
      outcome: 'superseded',
      relays: placement.relays,
      supersededBy: placement.newer.id,
    } as const;
    return standing(await settle(deps, key, settled), event.id);
  }
  if (placement.holding >= placement.required) {
    deps.failpoint('after-quorum');
    const outcome = reused && placement.stoodAlready ? 'unchanged' : 'published';
    return standing(await settle(deps, key, { outcome, relays: placement.relays }), event.id);
  }
  await recordRelays(deps.database, key, placement.relays);
  throw new RepublishError(
    placement.hopeless ? 'RelayRefused' : 'RelayQuorumNotReached',
    describe(placement),
    placement.waitsForReturn ? patientPauseMs(deps.limits, attempt) : undefined,
  );
}

async function settle(
  deps: ActivityDependencies,
  key: DocumentKey,
  settlement: Settlement,
): Promise<Outcome | null> {
  const outcome = await deps.ledger.settle(key, settlement);
  // Otherwise the run was closed before, and its audit has counted the document.
  if (outcome === settlement.outcome) deps.telemetry?.documentsEnded(key.documentType, outcome, 1);
  return outcome;
}

function describe({ relays, holding, required }: Placement): string {
  const others = Object.entries(relays)
    .filter(([, standing]) => standing.state !== 'holds')
    .map(([url, { state, detail }]) => `${url}: ${state}${detail ? ` (${detail})` : ''}`);
  return `${holding} of the ${required} required relays hold the document; ${others.join('; ')}`;
}

function requireEvent(row: DocumentRow): SealedEvent {
  if (row.event === null) throw new RepublishError('Unexpected', 'the seal is missing in the ledger');
  return row.event;
}

/** The outcome that the ledger holds, which is the one the audit tells, also when this attempt saw another. */
function standing(outcome: Outcome | null, eventIdInLedger: string | undefined): GoodOutcome {
  const isGood = outcome === 'published' || outcome === 'unchanged' || outcome === 'superseded';
  if (isGood && eventIdInLedger !== undefined) return outcome;
  throw new RepublishError('NotAttempted', 'the run was closed before this attempt ended');
}
