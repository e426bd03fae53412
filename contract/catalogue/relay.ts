import type { FailureKind } from './kind';

/** What is wrong with the relays: every document that they should hold meets with it. */
export const RELAY = {
  DocumentLost: {
    scope: 'relay',
    sweep: 'lost',
    meaning: 'Relays had the document, and when all were done too few of them had it still.',
    remedy:
      'The relays keep too few events of one author, or delete them: ask whoever runs them, or use others that the machines read too (REPUBLISH_RELAYS on the workers; restart them). Then start again, or republish retry <operator> where the run holds. The same relays bring the same.',
  },
  RelayQuorumNotReached: {
    scope: 'relay',
    retryable: true,
    meaning: 'Fewer relays than the quorum hold the document.',
    remedy:
      'Check the relays that the message names, or change REPUBLISH_RELAYS or REPUBLISH_QUORUM on the workers and restart them; then start again.',
  },
  RelayThrottled: {
    scope: 'relay',
    retryable: true,
    meaning: 'A relay takes events or questions slowly, and the quorum needs it.',
    remedy:
      'Give it time: a run sends as fast as the relay takes it, says until when it waits, and fails a document only where the relay lets nothing at all through (REPUBLISH_DOCUMENT_TIMEOUT_MS). Where it ended so: have the limits of the relay raised, or use others (REPUBLISH_RELAYS on the workers; restart them), then start again.',
  },
  RelayRefused: {
    scope: 'relay',
    meaning: 'So many relays refused the document for good that the quorum cannot be reached.',
    remedy: 'See the reason of each relay in the message; use relays that accept this key and kind 30078.',
  },
} as const satisfies Record<string, FailureKind>;
