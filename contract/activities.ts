import type { FleetActivities } from './fleet-activities';
import type { DocumentFailure, Failure } from './failures';
import type { Outcome } from './progress';
import type { DocumentSelection, Intervention } from './control';
import type { RepublishInput, RepublishResult } from './input';

/**
 * The activities, as the workflow sees them. Inputs and results are wire format and stay small: no state, no event, no
 * secret ever crosses here, only references into the ledger.
 */
export interface Activities extends FleetActivities {
  checkSigner(input: CheckSignerInput): Promise<CheckSignerResult>;
  loadMachines(input: LoadMachinesInput): Promise<LoadMachinesResult>;
  nextDocuments(input: NextDocumentsInput): Promise<NextDocumentsResult>;
  askSigner(input: AskSignerInput): Promise<void>;
  republishDocument(input: RepublishDocumentInput): Promise<RepublishDocumentResult>;
  persistAudit(input: PersistAuditInput): Promise<PersistAuditResult>;
  planAgain(input: PlanAgainInput): Promise<PlanAgainResult>;
  skipDocuments(input: SkipDocumentsInput): Promise<SkipDocumentsResult>;
  noteFailures(input: NoteFailuresInput): Promise<void>;
  requestCancellation(): Promise<void>;
}

/** What an activity shows of itself; it is kept by the server only until the activity ends. */
export interface HeartbeatDetails {
  /** Page on which the operator approves what the bunker was asked (NIP-46 `auth_url`), while it waits for that. */
  approvalUrl?: string;
  /** Which document is in work, if it is one: a worker that dies leaves no failure that could say so. */
  document?: DocumentReference | DocumentNumber;
}

export interface DocumentReference {
  documentType: string;
  machineId: string;
}

/** A document by its number in the ledger, which is all that is known of it until its row has been read. */
export interface DocumentNumber {
  documentNumber: number;
}

export interface CheckSignerInput {
  /** `firstExecutionRunId`: the ledger key of the run, which stays across continue-as-new. */
  runId: string;
  request: RepublishInput;
}

export interface CheckSignerResult {
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
  /** Documents in work at once: more than the bunker takes, so that it is busy while others are scheduled and settled. */
  documentsInFlight: number;
  /** One attempt at one document. */
  attemptTimeoutMs: number;
  /** All attempts at one document together. */
  documentTimeoutMs: number;
  /** A worker that is silent for this long is taken for lost. */
  heartbeatTimeoutMs: number;
  /** First wait between attempts; doubles up to `maxRetryIntervalMs`. */
  initialRetryIntervalMs: number;
  maxRetryIntervalMs: number;
  /** Attempts at one document; each of them waits longer than the last. */
  maxAttempts: number;
  machinesPerPage: number;
  /**
   * Documents that one execution begins; then it continues as new, and earlier where Temporal suggests it. Absent in
   * histories of before: these run to their end in one execution.
   */
  documentsPerExecution?: number;
}

export interface LoadMachinesInput extends ListingInput {
  runId: string;
  operatorUserId: string;
  operatorPubkey: string;
  documentTypes: string[];
  machineIds?: string[];
  force: boolean;
  resetCounts?: true;
  /** Machine id after which the page starts; absent for the first page. */
  after?: string;
  limit: number;
  /** False: the page is only planned and counted; its documents are read with `nextDocuments` when their turn comes. */
  list?: false;
}

/** A machine with documents that still have to be brought to an outcome. */
export interface PlannedMachine {
  machineId: string;
  name: string;
  /** Document types with valid state. */
  documentTypes: string[];
}

/** The same of many machines with little text, and with the number that the ledger gave to each document. */
export interface NumberedDocuments {
  /** Which document types the numbers of a row are of. */
  documentTypes: string[];
  /** Id and name of a machine, and the number of its document of each type: 0 where there is nothing to do. */
  machines: [machineId: string, name: string, ...numbers: number[]][];
}

/** How an activity lists documents: as the workflow asked, since a history of before has them as it has them. */
export interface Listing {
  /** Empty where the answer is `numbered`; a worker of an earlier release does not know that question and answers with these. */
  machines: PlannedMachine[];
  numbered?: NumberedDocuments;
}

export interface ListingInput {
  /** Documents are to be listed by number. */
  numbered?: true;
}

export interface LoadMachinesResult extends Listing {
  /** For a page that is not listed: how many documents it has to bring to an outcome, by document type. */
  open?: Record<string, number>;
  /** How many documents of this page will need the signer, as far as the ledger knows. */
  toSign: number;
  /** Outcomes reached without a republish activity, per document type (skipped: no state; failed: bad row). */
  settled: Record<string, Partial<Record<Outcome, number>>>;
  /** Bad rows of this page, at most 50; the ledger has all of them. */
  failures: DocumentFailure[];
  /** Cursor of the next page; absent on the last one. */
  next?: string;
}

/** A place in the order in which a run works on its documents: by machine id, then by document type, byte by byte. */
export interface DocumentPosition {
  machineId: string;
  documentType: string;
}

/** Reads a page of the plan: documents that have no outcome yet. */
export interface NextDocumentsInput extends ListingInput {
  runId: string;
  /** Position behind which the page starts; absent for the first. */
  after?: DocumentPosition;
  /** Position with which the last page ends; absent: all. */
  upTo?: DocumentPosition;
  selection?: Pick<DocumentSelection, 'documentType' | 'machineId'>;
  limit: number;
}

export interface NextDocumentsResult extends Listing {
  /** Position of the page's last document; absent on the last page. */
  next?: DocumentPosition;
}

export interface AskSignerInput {
  operatorUserId: string;
  operatorPubkey: string;
}

/**
 * Which document it is: by the number that the ledger gave it, where its run and whose it is stand too. It is in history once for
 * each document, and so is the result.
 */
export type RepublishDocumentInput =
  | number
  | { document: number; force: true; resetCounts?: true }
  /** As histories of before have it. */
  | { runId: string; documentType: string; machineId: string; force?: true; resetCounts?: true };

/** Nothing when it is published: which event it is stands in the ledger. An object where the input was one of before. */
export type RepublishDocumentResult = GoodOutcome | { outcome: GoodOutcome } | undefined;

export type GoodOutcome = Extract<Outcome, 'published' | 'unchanged' | 'superseded'>;

/** Plans anew what failed before any attempt: bad rows that somebody has corrected meanwhile. */
export interface PlanAgainInput extends Behind, ListingInput {
  runId: string;
  operatorUserId: string;
  selection: Pick<DocumentSelection, 'documentType' | 'machineId'>;
  /** Documents behind this position have not been looked at yet: their turn comes by itself. Absent: there are none. */
  upTo?: DocumentPosition;
}

/** Lists every document of the selection that was planned and not begun, at most 1,000; also those of an earlier call. */
export interface PlanAgainResult extends LedgerCounts, Listing {
  failures: DocumentFailure[];
  /** How many documents of the selection earlier executions have left without an outcome. */
  selectedBehind?: number;
}

export interface SkipDocumentsInput extends Behind {
  runId: string;
  selection: Pick<DocumentSelection, 'documentType' | 'machineId'>;
  by?: string;
  reason?: string;
}

/** What earlier executions of a run have tried and left without an outcome; only the ledger has a list of it. */
export interface Behind {
  behind?: {
    /** Where this execution began. */
    upTo: DocumentPosition;
    /** Documents up to there that this execution has taken up again. */
    except: DocumentPosition[];
  };
}

/** Writes into the ledger why documents have failed, where their attempts could not do it themselves. */
export interface NoteFailuresInput {
  runId: string;
  /** At most 200. */
  failures: DocumentFailure[];
}

export interface SkipDocumentsResult extends LedgerCounts {
  /** How many documents this call has given up. */
  documents: number;
}

/** What the ledger says after a change, by document type: absolute, so that an activity that runs twice does no harm. */
export interface LedgerCounts {
  counts: Record<string, { failed: number; skipped: number }>;
  /** Where it was asked for: documents that earlier executions have left without an outcome. */
  behind?: Record<string, number>;
}

export interface PersistAuditInput {
  runId: string;
  workflowId: string;
  request: RepublishInput;
  operatorPubkey?: string;
  documentTypes: string[];
  cancelled: boolean;
  /** What ended the run before its documents, if anything did. */
  failure?: Failure;
  /** Documents that failed for a reason their attempts could not write into the ledger, at most 500. */
  failures: DocumentFailure[];
  /** What people asked of the run while it went on, at most 100. */
  interventions?: Intervention[];
  /** The event ids are to come packed. */
  packed?: true;
  /** Documents that the pages of the plan have told of: the ledger must have all of them. */
  planned?: number;
}

export interface PersistAuditResult {
  /** Empty lists where there are more ids than a payload carries. Absent where they come packed, which a worker of an earlier release cannot. */
  events?: RepublishResult;
  /** Event ids by document type: the 32 bytes of each, one after the other, in base64url. Empty where `events` would be. */
  packedEvents?: Record<string, string>;
  /** Where they are more than a payload carries: how many ids there are. */
  eventsLeftOut?: number;
  /** Documents by type and outcome. */
  counts: Record<string, Record<Outcome, number>>;
  /** Every failed document of the run as the ledger has it, at most 200. */
  failures: DocumentFailure[];
  /** All failed documents, also those that `failures` has no room for. */
  failed: number;
  /** What the audit itself has found, where nothing had ended the run before. */
  failure?: Failure;
}
