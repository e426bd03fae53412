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
  /** Bunkers whose relays limit the rate of requests. */
  pacedBunkers: number;
  /** Requests a second that the slowest of them is sent; Infinity while none is paced. */
  slowestRatePerS: number;
}

/**
 * What the rooms report about their work. The methods are called on hot paths: an implementation neither
 * throws nor waits. No argument names an operator, a machine, a key or a page: a metric with such a label
 * grows without bound, and some of them are secret.
 */
export interface Telemetry {
  /** Documents of a type have got their outcome. */
  documentsEnded(documentType: string, outcome: Outcome, documents: number): void;
  /** A try of a document has failed. The document may be tried again. */
  tryFailed(documentType: string, failure: FailureType): void;
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
  /** Registers the function that returns the load whenever the metrics are read. */
  watchSigners(load: () => SignerLoad): void;
}
