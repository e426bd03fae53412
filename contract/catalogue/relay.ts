import { AGAIN, type FailureKind } from './kind';

/** The relays are at fault. Every document that these relays should hold fails for it. */
export const RELAY = {
  DocumentLost: {
    scope: 'relay',
    sweep: 'lost',
    meaning: 'Relays held the event, and then the sweep found it on fewer relays than the quorum.',
    remedy: `The relays keep too few events of one author, or delete them. Ask who runs them, or use other relays that the machines read too (REPUBLISH_RELAYS on the workers; restart them). Then ${AGAIN}. With the same relays it fails again.`,
  },
  RelayQuorumNotReached: {
    scope: 'relay',
    retryable: true,
    meaning: 'Fewer relays than the quorum hold the document.',
    remedy: `Check the relays that the message names, or change REPUBLISH_RELAYS or REPUBLISH_QUORUM on the workers and restart them. Then ${AGAIN}.`,
  },
  RelayThrottled: {
    scope: 'relay',
    retryable: true,
    meaning: 'A relay limits the rate of events or requests, and the quorum needs this relay.',
    remedy: `Wait: the run sends as fast as the relay accepts, and shows until when it waits. A document fails only if the relay accepts nothing until REPUBLISH_DOCUMENT_TIMEOUT_MS is over. If documents have failed with this: have the limits of the relay raised, or use other relays (REPUBLISH_RELAYS on the workers; restart them). Then ${AGAIN}.`,
  },
  RelayRefused: {
    scope: 'relay',
    meaning: 'So many relays refused the event finally that the quorum cannot be reached.',
    remedy: 'Read the reason of each relay in the message. Use relays that accept this key and kind 30078.',
  },
} as const satisfies Record<string, FailureKind>;
