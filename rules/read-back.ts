import type { Dated } from './newest';
import { decidedBy, type Evidence, type SendReply } from './quorum';

/**
 * Whether a relay has to be asked for an event that may have been sent to it; not where it is known already
 * what stands there, or that the relay did not take the event.
 */
export function needsReadBack<E extends Dated>(
  event: Dated,
  { seen, sent }: Pick<Evidence<E>, 'seen' | 'sent'>,
): boolean {
  if (decidedBy(seen, event) !== undefined) return false;
  // It does not have the event, and questions may be dear.
  if (sent?.kind === 'heldback') return false;
  return !(sent?.kind === 'refused' && sent.isFinal);
}

/** Whether final refusals alone make the quorum impossible. */
export function isRefusedForGood(
  replies: Iterable<SendReply>,
  { relays, required }: { relays: number; required: number },
): boolean {
  let refusals = 0;
  for (const reply of replies) if (reply.kind === 'refused' && reply.isFinal) refusals += 1;
  return relays - refusals < required;
}
