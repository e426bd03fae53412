import { decoded, type RecordedHistory, stepsOf } from './histories';

interface Shown {
  /** What happened, in the words of `stepsOf`. */
  steps: RegExp;
  /** What must stand in its payloads and attributes besides. */
  says?: RegExp;
}

/** Every kind of run of which a history is kept, and what that history has to show. */
export const KINDS = {
  // How runs end that nobody interferes with.
  complete: {
    steps: /^loadMachines proveSigner republishDocuments republishDocuments sweep persistAudit completed$/,
    says: /"published":3/,
  },
  unchanged: {
    steps: /^loadMachines republishDocuments republishDocuments sweep persistAudit completed$/,
    says: /"unchanged":3/,
  },
  forced: { steps: /^loadMachines proveSigner republishDocuments sweep persistAudit completed$/ },
  'one-document': { steps: /^loadMachines proveSigner republishDocuments sweep persistAudit completed$/ },
  'no-machines': { steps: /^loadMachines sweep persistAudit completed$/ },
  'two-pages': { steps: /^loadMachines proveSigner( republishDocuments){2} sweep persistAudit completed$/ },
  'loaded-in-parts': {
    steps: /^(loadMachines ){2}proveSigner( republishDocuments){11} sweep persistAudit completed$/,
  },
  'bad-row': {
    steps: /^loadMachines proveSigner( republishDocuments){2} sweep persistAudit ended:RepublishIncomplete$/,
    says: /StateInvalid/,
  },
  'signer-refuses': {
    steps: /^loadMachines proveSigner( republishDocuments){3} sweep persistAudit ended:RepublishIncomplete$/,
    says: /"cause":{"type":"SignerRefused"/,
  },
  superseded: {
    steps: /^loadMachines proveSigner republishDocuments sweep persistAudit completed$/,
    says: /"superseded":1/,
  },
  lost: {
    steps: /^loadMachines proveSigner( republishDocuments){2,} sweep persistAudit ended:RepublishIncomplete$/,
    says: /DocumentLost/,
  },
  'failed-operator-not-found': {
    steps: /^loadMachines failed:OperatorNotFound persistAudit ended:OperatorNotFound$/,
  },
  'failed-pubkey-mismatch': {
    steps: /^loadMachines failed:SignerPubkeyMismatch persistAudit ended:SignerPubkeyMismatch$/,
  },
  'failed-at-signer': {
    steps: /^loadMachines proveSigner failed:SignerPubkeyMismatch persistAudit ended:SignerPubkeyMismatch$/,
  },
  'failed-at-sweep': {
    steps: /^loadMachines proveSigner republishDocuments sweep persistAudit ended:PlanOutdated$/,
  },
  'failed-invalid-input': { steps: /^ended:InvalidInput$/ },
  'ledger-incomplete': {
    steps: /^loadMachines proveSigner( republishDocuments){5} sweep persistAudit ended:LedgerIncomplete$/,
  },

  // Trouble on the way.
  yielded: { steps: /^loadMachines proveSigner( republishDocuments){3,} sweep persistAudit completed$/ },
  retried: {
    steps: /^loadMachines proveSigner( republishDocuments){1,2} sweep persistAudit completed$/,
    says: /"attempt":[2-9],.*SignerTimeout/,
  },
  'signer-replaced': {
    steps:
      /^loadMachines proveSigner( republishDocuments){4,6} proveSigner( republishDocuments)+ sweep persistAudit completed$/,
    says: /"unproven":true/,
  },
  'timed-out': {
    steps:
      /^loadMachines proveSigner republishDocuments timed-out settlePage sweep persistAudit ended:RepublishIncomplete$/,
  },
  approved: {
    steps:
      /^loadMachines proveSigner approval approval republishDocuments approval approval sweep persistAudit completed$/,
  },

  // What people do.
  holding: {
    steps: /^loadMachines proveSigner( republishDocuments){2} sweep goes-on$/,
  },
  'held-retried': {
    steps:
      /^loadMachines proveSigner( republishDocuments){2} sweep retry retryDocuments( republishDocuments)+ sweep persistAudit completed$/,
  },
  'held-skipped': {
    steps:
      /^loadMachines proveSigner( republishDocuments){2} sweep skip skipDocuments sweep persistAudit completed$/,
  },
  'held-at-loading': {
    steps: /^loadMachines failed:OperatorNotFound retry loadMachines .*persistAudit completed$/,
  },
  'held-at-signer': {
    steps:
      /^loadMachines proveSigner failed:SignerPubkeyMismatch retry retryDocuments proveSigner republishDocuments sweep persistAudit completed$/,
  },
  'held-by-cause': {
    steps:
      /^loadMachines proveSigner( republishDocuments){3} retry retryDocuments( republishDocuments){5} sweep persistAudit completed$/,
    says: /"cause":\{"type":"SignerRefused"/,
  },
  'paused-mid-flight': {
    steps: /^loadMachines proveSigner republishDocuments pause (gave-way )?goes-on$/,
    says: /"counts":\{"open":\d+,"published"/,
  },
  'paused-resumed': {
    steps:
      /^loadMachines proveSigner republishDocuments pause (gave-way )?resume readLedger republishDocuments sweep persistAudit completed$/,
  },
  'skipped-in-work': {
    steps:
      /^loadMachines proveSigner( republishDocuments)+ skip (gave-way )*skipDocuments .*persistAudit completed$/,
    says: /"documents":1,/,
  },
  'retried-in-work': {
    steps:
      /^loadMachines proveSigner republishDocuments retry retryDocuments (gave-way )?republishDocuments sweep persistAudit completed$/,
    says: /"documents":1,/,
  },
  'retried-in-back-off': {
    steps:
      /^loadMachines proveSigner republishDocuments retry retryDocuments gave-way republishDocuments sweep persistAudit completed$/,
  },
  'mid-flight': { steps: /^loadMachines proveSigner republishDocuments goes-on$/ },
  'cancelled-at-once': { steps: /^cancel-requested persistAudit cancelled$/ },
  'cancelled-at-signer': {
    steps: /^loadMachines proveSigner cancel requestCancellation cancel-requested persistAudit cancelled$/,
  },
  'cancelled-in-work': {
    steps:
      /^loadMachines proveSigner republishDocuments cancel requestCancellation cancel-requested (gave-way )?persistAudit cancelled$/,
    says: /"type":"(NotAttempted|Interrupted)"/,
  },
  'cancelled-by-temporal': {
    steps:
      /^loadMachines proveSigner republishDocuments cancel-requested (gave-way )?persistAudit cancelled$/,
  },
  'cancelled-while-holding': {
    steps:
      /^loadMachines proveSigner( republishDocuments){2} sweep cancel requestCancellation cancel-requested persistAudit cancelled$/,
  },

  // Chains of executions.
  'continued-first': { steps: /^loadMachines proveSigner republishDocuments timer continued$/ },
  'continued-middle': { steps: /^goes-on-from readLedger republishDocuments timer continued$/ },
  'continued-last': { steps: /^goes-on-from readLedger republishDocuments sweep persistAudit completed$/ },
  'continued-mid-flight': { steps: /^goes-on-from readLedger republishDocuments timer goes-on$/ },
  'continued-holding': {
    steps: /^goes-on-from readLedger republishDocuments sweep retry retryDocuments continued$/,
  },
  'continued-retried': { steps: /^goes-on-from readLedger republishDocuments sweep persistAudit completed$/ },
  'continued-paused': {
    steps: /^goes-on-from resume readLedger republishDocuments timer continued$/,
  },

  // Fleets.
  'fleet-complete': { steps: /^planFleet loadOperators( child){3} persistFleetAudit completed$/ },
  'fleet-some-failed': { steps: /^planFleet loadOperators( child){4} persistFleetAudit completed$/ },
  'fleet-paused-mid-flight': {
    steps: /^planFleet loadOperators child child followRun pause speakToRuns goes-on$/,
  },
  'fleet-paused-resumed': {
    steps: /^planFleet .*pause speakToRuns .*resume speakToRuns .*persistFleetAudit completed$/,
  },
  'fleet-cancelled': {
    steps: /^planFleet .*cancel .*requestCancellation cancel-requested .*persistFleetAudit cancelled$/,
  },
  'fleet-continued-first': { steps: /^planFleet .*continued$/ },
  'fleet-continued-mid-flight': { steps: /^goes-on-from .*followRun .*goes-on$/ },
  'fleet-continued-last': { steps: /^goes-on-from .*persistFleetAudit completed$/ },
} satisfies Record<string, Shown>;

export type Kind = keyof typeof KINDS;

/** What a history lacks of its kind, or undefined where it shows all of it. */
export function missingIn(kind: string, history: RecordedHistory): string | undefined {
  const shown: Shown | undefined = (KINDS as Record<string, Shown>)[kind];
  if (shown === undefined) return `${kind} is no kind of run: name it in test/replay/kinds.ts`;
  const steps = stepsOf(history);
  if (!shown.steps.test(steps)) return `${kind} shows "${steps}", which is not ${shown.steps}`;
  if (shown.says !== undefined && !shown.says.test(decoded(history))) return `${kind} lacks ${shown.says}`;
  return undefined;
}
