import type { HeartbeatDetails, RunLimits } from '../contract/activities';
import type { Telemetry } from '../contract/telemetry';
import type { AuditRow } from '../database/audit';
import type { Database, ReadOnlyDatabase } from '../database/connection';
import type { DocumentType } from '../documents/document-type';
import type { BunkerRelayLimits } from '../nostr/bunker/bunker-relay-limits';
import type { RelayPublisher } from '../nostr/relays/publisher';
import type { Keyring } from '../nostr/signers/keyring';
import type { OperatorSigners } from '../nostr/signers/operator-signers';
import type { Patience } from '../rules/patience';
import type { Source } from '../sources/source';
import type { Failpoint } from './failpoints';
import type { WorkerClock } from './steps/clock';

/** What the steps that only look use, also those of an inspection. None of it writes, sends or signs. */
export interface ReadOnlyDependencies {
  /** The ledger. */
  database: ReadOnlyDatabase;
  /** The reader of LNbits' database. */
  source: Source;
  /**
   * Who belongs to a fleet of all operators: those whom LNbits names, or those with a signer in the ledger.
   */
  operatorsFrom: 'source' | 'ledger';
  documentTypes: readonly DocumentType[];
  /** Finds an operator's current signer. */
  operatorSigners: OperatorSigners;
  publisher: Pick<RelayPublisher, 'look' | 'required' | 'impossibleBecause'>;
  /** The limits of the relays of the operators' bunkers. */
  bunkerRelays: BunkerRelayLimits;
  clock: WorkerClock;
  /** Key of the state fingerprints (HMAC-SHA-256). */
  fingerprintKey: Uint8Array;
  /** Most bytes (UTF-8) of a document's plaintext. */
  maxStateBytes: number;
}

/** Everything the activities touch; built once by the worker. */
export interface ActivityDependencies extends ReadOnlyDependencies {
  database: Database;
  keyring: Keyring;
  publisher: RelayPublisher;
  limits: RunLimits;
  patience: Patience;
  /** How many documents of a page may be sealed and signed at the same time. */
  documentsAtOnce: number;
  /**
   * The namespace knows the search attributes of contract/names.ts. Otherwise a run that sets them would
   * hang.
   */
  searchAttributes: boolean;
  /**
   * Called with errors that have no failure type. Do not log the message: it may quote a secret or a state.
   */
  onUnexpected(activity: string, error: Error, work: Record<string, unknown>): void;
  /** Called after each closed run, for the log. */
  onRunEnded(run: EndedRun): void;
  telemetry?: Telemetry | undefined;
  /** Called at each place where a crash leaves the most behind. Does nothing, except in the fault tests. */
  failpoint(name: Failpoint): void;
}

/** A closed run: a part of its audit row. */
export type EndedRun = Pick<
  AuditRow,
  'runId' | 'workflowId' | 'operatorUserId' | 'outcome' | 'counts' | 'failure' | 'failures'
>;

/** What an activity gets in addition to its input. */
export interface ActivityCall {
  workflowId: string;
  /** From 1; each time that Temporal tries the activity again it is one more. */
  attempt: number;
  /** When the workflow asked for it, in ms since 1970: each attempt has the same. */
  scheduledAtMs: number;
  /**
   * Aborts when the workflow cancels the activity or the worker shuts down: end soon, and finish each write.
   */
  signal: AbortSignal;
  /**
   * Makes a listener for one request to a signer. The listener is called with the page on which a person has
   * to approve (NIP-46 `auth_url`), and with undefined when the wait for it is over.
   */
  approvalListener(): (url: string | undefined) => void;
  /** Adds to the log fields of the attempt what only the ledger knows. */
  takeInHand(named: { documentType: string }): void;
  /** Sets what the heartbeats show. It is called for each heartbeat. */
  show(details: () => HeartbeatDetails): void;
}
