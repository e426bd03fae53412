/**
 * Limits for tests that are not about time: a process that gets no CPU for some seconds reaches none of them.
 * Otherwise its run takes another path than the one that is tested: a document fails, a question is asked
 * twice, a second attempt begins beside the first.
 */
export const PATIENT = {
  REPUBLISH_BUNKER_TIMEOUT_MS: '30000',
  REPUBLISH_RELAY_TIMEOUT_MS: '20000',
  REPUBLISH_DOCUMENT_TIMEOUT_MS: '120000',
  // As in the field: the pages hear of a cancellation after some seconds.
  REPUBLISH_HEARTBEAT_TIMEOUT_MS: '12000',
};
