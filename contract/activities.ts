import type { DocumentSelection, Intervention } from './control';
import type { DocumentFailure, Failure } from './failures';
import type { FleetActivities } from './fleet-activities';
import type { RepublishInput } from './input';
import type { OutcomeCounts, Stages, WaitingDocument } from './progress';

/**
 * The activities, as the workflow sees them. Inputs and results are wire format and stay small: no state, no
 * event, no secret ever crosses here, only references into the ledger.
 */
export interface Activities extends FleetActivities {
  loadMachines(input: LoadMachinesInput): Promise<LoadMachinesResult>;
  proveSigner(input: RunReference): Promise<void>;
  republishDocuments(input: PageReference): Promise<PageResult>;
  settlePage(input: SettlePageInput): Promise<PageResult>;
  readLedger(input: ReadLedgerInput): Promise<LedgerView>;
  retryDocuments(input: SelectDocumentsInput): Promise<ChangedDocuments>;
  skipDocuments(input: SkipDocumentsInput): Promise<ChangedDocuments>;
  sweep(input: SweepInput): Promise<SweepResult>;
  persistAudit(input: PersistAuditInput): Promise<PersistAuditResult>;
  requestCancellation(): Promise<void>;
}

/** What an activity shows of itself; it is kept by the server only until the activity ends. */
export interface HeartbeatDetails {
  /**
   * Pages on which a person approves what the bunker was asked (NIP-46 `auth_url`), while it waits for that.
   */
  approvals?: string[];
  /** Which page is in work, if it is one. */
  page?: { page: number; documentType: string };
  /** How far the documents of the page are, those of earlier attempts among them. */
  stages?: Stages;
  /** Documents in work, and what each of them waits for, at most 20. */
  waiting?: WaitingDocument[];
  /** Of an operator of a fleet: the run of another request for whose end the fleet waits. */
  waitsFor?: WaitsFor;
}

/** A run of another request. The fleet starts the operator's own run after its end. */
export interface WaitsFor {
  operatorUserId: string;
  runId: string;
  /** ISO 8601. */
  begunAt: string;
  /** How its request differs, such as `machines m1`. */
  differs: string[];
}

/** `firstExecutionRunId`: the ledger key of a run, which stays across continue-as-new. */
export interface RunReference {
  runId: string;
}

/** A page of a run: up to `documentsPerPage` documents of one document type. */
export interface PageReference extends RunReference {
  page: number;
}

export interface LoadMachinesInput extends RunReference {
  request: RepublishInput;
  /** Where the last call ended; absent in the first, which opens the run. */
  after?: MachineCursor;
}

export interface MachineCursor {
  /** The last machine that was loaded. */
  machineId: string;
  /** How many were loaded up to there: the pages of the next ones are numbered behind them. */
  machines: number;
  /** The value of the first call: the configuration of the workers may have changed meanwhile. */
  documentsPerPage: number;
}

export interface LoadMachinesResult {
  /** What the run works with. */
  opened: OpenedRun;
  /** The planned pages of these machines; see `pageOf`. */
  pages: PageEntry[];
  /** Machines up to and with these. */
  machines: number;
  /** How many documents will need the signer, as far as the ledger knows. */
  toSign: number;
  /** Bad rows, at most 50; the ledger has all of them. */
  failures: DocumentFailure[];
  /** Where the machines were looked for; only where the operator has none. */
  lookedIn?: string;
  /** Where the next call begins; absent after the last machine. */
  next?: MachineCursor;
}

/** What the first activity of a run has found out, and all later ones keep to. */
export interface OpenedRun {
  /** The operator's current public key, hex. */
  operatorPubkey: string;
  /** The document types of this run, resolved and in registry order. */
  documentTypes: string[];
  limits: RunLimits;
  /** The namespace knows the search attributes of names.ts; absent where they are not registered. */
  searchAttributes?: true;
}

/** Bounds from the worker's configuration, recorded in history so that a replay sees the same ones. */
export interface RunLimits {
  /** Documents of one page, which is the unit of work. */
  documentsPerPage: number;
  /** Pages in work at the same time: one ends while the others keep the bunker busy. */
  pagesAtOnce: number;
  /** Pages that one execution begins; then it continues as new, and earlier where Temporal suggests it. */
  pagesPerExecution: number;
  /** One attempt at one page: it yields long before. */
  attemptTimeoutMs: number;
  /** A worker that is silent for this long is taken for lost. */
  heartbeatTimeoutMs: number;
}

/**
 * Documents of a page: without an outcome (`open`), by outcome, how many of the skipped ones a person gave up,
 * and how far they are. What is 0 is left out.
 */
export type PageCounts = Partial<Record<'open' | keyof OutcomeCounts | keyof Stages, number>>;

export type PageEntry = [page: number, counts: PageCounts];

/** How a page stands after an attempt, read from the ledger when all was settled. */
export interface PageResult {
  /** Absolute: they replace what was known of the page before. */
  counts: PageCounts;
  /** Failed documents of the page, at most 10. */
  failures?: DocumentFailure[];
  /** Open documents that are in trouble or wait, at most 20. */
  waiting?: WaitingDocument[];
  /**
   * Documents need a signer that this run has not proved; the page is to be given out again after
   * `proveSigner`.
   */
  unproven?: true;
  /**
   * Documents have come to stand since the page was given out. Where an attempt was lost, some of the page
   * stand.
   */
  stood?: true;
  /**
   * Every document that was still open has failed for this one reason, which others share: no further page is
   * worth beginning.
   */
  cause?: Failure;
}

/** Ends the open documents of a page that no attempt could bring to an outcome. */
export interface SettlePageInput extends PageReference {
  failure: Failure;
}

export interface ReadLedgerInput extends RunReference {
  /** The run continues after a pause: the time of trouble starts again from zero. */
  resumed?: true;
}

/** What the ledger contains about a whole run. */
export interface LedgerView {
  /** Pages with documents that have no outcome, in order. */
  pages: PageEntry[];
  /** All documents, by document type. */
  counts: Record<string, PageCounts>;
  /** Failed documents, at most 50. */
  failures: DocumentFailure[];
}

export interface SelectDocumentsInput extends RunReference {
  selection: Pick<DocumentSelection, 'documentType' | 'machineId'>;
}

export interface SkipDocumentsInput extends SelectDocumentsInput {
  by?: string;
  reason?: string;
}

export interface ChangedDocuments extends LedgerView {
  /** How many documents this call has changed. */
  documents: number;
}

export interface SweepInput extends RunReference {
  /** No further page is begun: what stands is looked at although documents are open. */
  blocked?: true;
}

export interface SweepResult extends LedgerView {
  /** False where pages had open documents, and so nothing was looked at. */
  swept: boolean;
  /** What makes the whole run untrue, such as an account that has another key by now. */
  failure?: Failure;
}

export interface PersistAuditInput extends RunReference {
  workflowId: string;
  request: RepublishInput;
  operatorPubkey?: string;
  documentTypes: string[];
  cancelled: boolean;
  /** What ended the run before its documents, if anything did. */
  failure?: Failure;
  /** Why no further page was begun: the reason of the documents that are still open. */
  cause?: Failure;
  /** The controls that people used during the run, at most 100. */
  interventions?: Intervention[];
  /** The sweep has looked at all documents before. */
  swept?: true;
  /** Documents that were planned: the ledger must have all of them. Absent if planning did not end. */
  planned?: number;
}

export interface PersistAuditResult {
  /**
   * Event ids by document type: the 32 bytes of each, one after the other, in base64url. Empty where they are
   * more than a payload carries.
   */
  packedEvents: Record<string, string>;
  /** Where they are more than a payload carries: how many ids there are. */
  eventsLeftOut?: number;
  /** Documents by type. */
  counts: Record<string, OutcomeCounts>;
  /** Every failed document of the run as the ledger has it, at most 200. */
  failures: DocumentFailure[];
  /** All failed documents, also those that `failures` has no room for. */
  failed: number;
  /** What the audit itself has found, where nothing had ended the run before. */
  failure?: Failure;
  /** Hash of the audit row, and so of all audit rows of the operator up to it. */
  auditHead: string;
}
