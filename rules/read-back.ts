import type { Dated } from './newest';
import { decidedBy, type Evidence, type SendReply } from './quorum';

/**
 * Whether a relay must be asked for an event that may have been sent to it. Not if the look has shown what
 * stands on it, or if the relay did not take the event.
 */
export function needsReadBack<E extends Dated>(
  event: Dated,
  { seen, sent }: Pick<Evidence<E>, 'seen' | 'sent'>,
): boolean {
  if (decidedBy(seen, event) !== undefined) return false;
  // It does not have the event, and a question may use up its limit.
  if (sent?.kind === 'heldback') return false;
  return !(sent?.kind === 'refused' && sent.isFinal);
}

/** Whether final refusals alone make the quorum impossible. */
export function isRefusedFinally(
  replies: Iterable<SendReply>,
  { relays, required }: { relays: number; required: number },
): boolean {
  let refusals = 0;
  for (const reply of replies) if (reply.kind === 'refused' && reply.isFinal) refusals += 1;
  return relays - refusals < required;
}
