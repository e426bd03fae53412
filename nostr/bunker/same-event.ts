import { RepublishError } from '../../contract/failures';
import { eventId, hasEventShape, isAuthentic, type SignedEvent, type UnsignedEvent } from '../events';

/** The signed event in a bunker's answer, when it is the very event that was asked for. */
export function requireSameEvent(asked: UnsignedEvent, answer: string): SignedEvent {
  const wrong = (what: string): RepublishError =>
    new RepublishError('SignerReturnedWrongEvent', `the bunker's answer to sign_event ${what}`);
  let event: unknown;
  try {
    event = JSON.parse(answer);
  } catch {
    throw wrong('is not JSON');
  }
  if (!hasEventShape(event)) throw wrong('is not a signed event');
  for (const field of ['pubkey', 'kind', 'created_at', 'content'] as const) {
    if (event[field] !== asked[field]) throw wrong(`has another ${field}`);
  }
  if (JSON.stringify(event.tags) !== JSON.stringify(asked.tags)) throw wrong('has other tags');
  if (event.id !== eventId(asked)) throw wrong('has another id');
  if (!isAuthentic(event)) throw wrong('has an invalid signature');
  const { id, pubkey, sig, kind, created_at, tags, content } = event;
  return { id, pubkey, sig, kind, created_at, tags, content };
}
