import { RepublishError } from '../../contract/failures';
import { eventId, hasEventShape, isAuthentic, type SignedEvent, type UnsignedEvent } from '../events';

/**
 * The signed event in a signer's answer, when it is exactly the event that was to be signed.
 *
 * @param answer JSON
 * @param who the signer, in a message
 * @throws RepublishError SignerChangesEvents: the right key signed another event. SignerReturnedWrongEvent:
 *   anything else
 */
export function requireSameEvent(asked: UnsignedEvent, answer: string, who = 'the bunker'): SignedEvent {
  const wrong = (what: string): RepublishError =>
    new RepublishError('SignerReturnedWrongEvent', `${who}'s answer to sign_event ${what}`);
  let event: unknown;
  try {
    event = JSON.parse(answer);
  } catch {
    throw wrong('is not JSON');
  }
  if (!hasEventShape(event)) throw wrong('is not a signed event');
  if (event.pubkey !== asked.pubkey) throw wrong('has another pubkey');
  const change = changeOf(asked, event);
  if (change !== undefined) throw isAuthentic(event) ? changed(change, who) : wrong(change);
  if (event.id !== eventId(asked)) throw wrong('has another id');
  if (!isAuthentic(event)) throw wrong('has an invalid signature');
  const { id, pubkey, sig, kind, created_at, tags, content } = event;
  return { id, pubkey, sig, kind, created_at, tags, content };
}

function changeOf(asked: UnsignedEvent, event: SignedEvent): string | undefined {
  for (const field of ['kind', 'created_at', 'content'] as const)
    if (event[field] !== asked[field]) return `has another ${field}`;
  return JSON.stringify(event.tags) === JSON.stringify(asked.tags) ? undefined : 'has other tags';
}

/** Its date and id would differ from the ledger, so nobody could tell whether it is ours. */
function changed(what: string, who: string): RepublishError {
  return new RepublishError(
    'SignerChangesEvents',
    `the event that ${who} has signed with the right key ${what} than it was given`,
  );
}
