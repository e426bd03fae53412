import type { FailureType } from './failures';
import type { Outcome, RunOutcome } from './progress';
import type { RelayStanding } from './relay-standing';

/** How a request to a bunker ended. `cancelled`: nobody waits for its answer any more. */
export const BUNKER_RESULTS = [
  'answered',
  'refused',
  'timeout',
  'unreachable',
  'approval_pending',
  'cancelled',
] as const;

export type BunkerResult = (typeof BUNKER_RESULTS)[number];

/** What the open signers of a process are busy with at this moment. */
export interface SignerLoad {
  /** Requests that were sent and have no answer yet, over all bunkers. */
  inFlight: number;
  /** Requests that wait for a place or for their turn in the rate. */
  waiting: number;
  /** Bunkers whose relays have asked for patience. */
  pacedBunkers: number;
  /** Requests a second that the slowest of them is sent; Infinity while none is paced. */
  slowestRatePerS: number;
}

/**
 * What the rooms tell about their work while they do it. Called on hot paths: an implementation neither
 * throws nor waits. Nothing that is told names an operator, a machine, a key or a page: what is counted by
 * them grows without bound, and some of it is secret.
 */
export interface Telemetry {
  /** Documents of a type have come to their outcome. */
  documentsEnded(documentType: string, outcome: Outcome, documents: number): void;
  /** An attempt at a document has failed; it may be tried again. */
  attemptFailed(documentType: string, failure: FailureType): void;
  runEnded(outcome: RunOutcome): void;
  /** @param seconds from sending the request */
  bunkerRequestEnded(method: string, result: BunkerResult, seconds: number): void;
  /** A request to a signer of a provider has ended. @param kind the provider's */
  customSignerAsked(kind: string, method: string, isAnswered: boolean): void;
  /** @param relay as it may be shown (`shownRelay`) */
  relayAnswered(relay: string, state: RelayStanding['state']): void;
  /** A message was dropped: undecryptable or no answer in the bunker's name, or no Nostr message at all. */
  messageDropped(from: 'bunker' | 'relay'): void;
  /** Postgres asked for a transaction to be run again (serialization failure, deadlock). */
  transactionRepeated(): void;
  /** Where the load is read whenever somebody looks. */
  watchSigners(load: () => SignerLoad): void;
}
