import type { HeartbeatDetails, RunLimits } from '../contract/activities';
import type { Telemetry } from '../contract/telemetry';
import type { AuditRow } from '../database/audit';
import type { Database, ReadOnlyDatabase } from '../database/connection';
import type { DocumentType } from '../documents/document-type';
import type { BunkerRelayLimits } from '../nostr/bunker/relay-limits';
import type { RelayPublisher } from '../nostr/relays/publisher';
import type { Keyring } from '../nostr/signers/keyring';
import type { OperatorSigners } from '../nostr/signers/operator-signers';
import type { Patience } from '../rules/pacing';
import type { Source } from '../sources/source';
import type { Failpoint } from './failpoints';
import type { WorkerClock } from './steps/clock';

/**
 * What the steps need that only look: what a plan, a verification and the like are made with. Nothing of it
 * writes, sends or opens a signer.
 */
export interface ReadOnlyDependencies {
  /** The ledger's. */
  database: ReadOnlyDatabase;
  /** LNbits' database. */
  source: Source;
  /** Who belongs to a fleet of all operators: LNbits says, or who has a signer in the ledger. */
  operatorsFrom: 'source' | 'ledger';
  documentTypes: readonly DocumentType[];
  /** Says which signer is an operator's now. */
  operatorSigners: OperatorSigners;
  publisher: Pick<RelayPublisher, 'look' | 'required' | 'impossibleBecause'>;
  /** What the relays of the operators' bunkers take. */
  bunkerRelays: BunkerRelayLimits;
  clock: WorkerClock;
  /** Key of the state fingerprints (HMAC-SHA-256). */
  fingerprintKey: Uint8Array;
  /** Ceiling of a document's plaintext, UTF-8 bytes. */
  maxStateBytes: number;
}

/** Everything the activities touch; built once by the worker. */
export interface ActivityDependencies extends ReadOnlyDependencies {
  database: Database;
  keyring: Keyring;
  publisher: RelayPublisher;
  limits: RunLimits;
  patience: Patience;
  /** Documents of a page that are on their way to the signer or back at a time. */
  documentsAtOnce: number;
  /** The namespace knows the search attributes of contract/names.ts: a run that sets others would hang. */
  searchAttributes: boolean;
  /**
   * Told of errors that have no name of their own; the message is left out, since it may quote what nobody
   * may see.
   */
  onUnexpected(activity: string, error: Error, work: Record<string, unknown>): void;
  /** Told of each run that is closed, for the log. */
  onRunEnded(run: EndedRun): void;
  telemetry?: Telemetry | undefined;
  /** Passed at each place where a crash leaves the most behind. Does nothing, except in the fault tests. */
  failpoint(name: Failpoint): void;
}

/** What is told of a run that is closed: a part of its audit. */
export type EndedRun = Pick<
  AuditRow,
  'runId' | 'workflowId' | 'operatorUserId' | 'outcome' | 'counts' | 'failure' | 'failures'
>;

/** What an activity is given beside its input. */
export interface ActivityCall {
  workflowId: string;
  /**
   * Aborts when the workflow cancels the activity or the worker shuts down: end soon, and leave nothing half
   * told.
   */
  signal: AbortSignal;
  /**
   * One for each question to a signer: told the page on which a person has to approve (NIP-46 `auth_url`),
   * and undefined when that is over.
   */
  approvalListener(): (url: string | undefined) => void;
  /** Notes what the attempt is about, where only the ledger could tell. */
  takeInHand(named: { documentType: string }): void;
  /** What the next heartbeats show, asked for with each. */
  show(details: () => HeartbeatDetails): void;
}
