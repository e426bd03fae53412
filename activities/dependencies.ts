import type { DocumentReference, RunLimits } from '../contract/activities';
import type { Telemetry } from '../contract/telemetry';
import type { AuditRow } from '../database/audit';
import type { Database } from '../database/connection';
import type { AttemptLedger } from '../database/ledger/attempts';
import type { DocumentType } from '../documents/document-type';
import type { RelayPublisher } from '../nostr/relays/publisher';
import type { Keyring } from '../nostr/signers/keyring';
import type { OperatorSigners } from '../nostr/signers/operator-signers';
import type { SignerCall } from '../nostr/signers/signer';
import type { Source } from '../sources/source';
import type { Failpoint } from './failpoints';
import type { ReadState } from './steps/read-state';

/** Everything the activities touch; built once by the worker. */
export interface ActivityDependencies {
  database: Database;
  ledger: AttemptLedger;
  /** LNbits' database; `database` is the ledger's. */
  source: Source;
  /** Who belongs to a fleet of all operators: LNbits says, or who has a signer in the ledger. */
  operatorsFrom: 'source' | 'ledger';
  readState: ReadState;
  documentTypes: readonly DocumentType[];
  keyring: Keyring;
  /** Says which signer is an operator's now. */
  operatorSigners: OperatorSigners;
  publisher: RelayPublisher;
  /** Key of the state fingerprints (HMAC-SHA-256). */
  fingerprintKey: Uint8Array;
  /** Ceiling of a document's plaintext, UTF-8 bytes. */
  maxStateBytes: number;
  limits: RunLimits;
  /** The namespace knows the search attributes of contract/names.ts: a run that sets others would hang. */
  searchAttributes: boolean;
  /** Told of errors that have no name of their own; the message is left out, since it may quote what nobody may see. */
  onUnexpected(activity: string, error: Error, work: Record<string, unknown>): void;
  /** Told of each run that is closed, for the log. */
  onRunEnded(audit: Pick<AuditRow, 'runId' | 'workflowId' | 'operatorUserId' | 'outcome' | 'counts'>): void;
  telemetry?: Telemetry | undefined;
  /** Passed at each place where a crash leaves the most behind. Does nothing, except in the fault tests. */
  failpoint(name: Failpoint): void;
}

/** What an activity is given beside its input. */
export interface ActivityCall {
  workflowId: string;
  /** From 1. */
  attempt: number;
  /** Aborts when the workflow cancels the activity or the worker shuts down. */
  signal: AbortSignal;
  /** What a signer is given with each question: the signal, and how to show that a person has to approve. */
  signerCall: SignerCall;
  /** Tells which document the attempt is about, where only the ledger could. */
  onDocument(document: DocumentReference & { runId: string }): void;
}
