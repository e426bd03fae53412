import { withLastWords } from '../../rules/last-words';
import type { Heldback } from '../../rules/quorum';
import type { SignedEvent } from '../events';
import { type Answer, complainsOfFilters } from './address-reader';
import type { PublishReply } from './frames';
import { newestAt, type SendReply, type Sighting, type Wanted } from './document-relay';
import type { NotAuthenticated } from './relay-auth';
import { plainText } from './plain-text';
import { type ReadReply, wantsIdentity } from './read';
import { meaningOfRefusal, saysTooMuch } from './refusals';

/** What a relay's answers mean for a document. Pure functions. */

/** Whether the relay should show the event in a moment. */
export function isExpected(reply: SendReply | undefined): boolean {
  return reply?.kind === 'ok' || reply?.kind === 'silent';
}

export function isShown({ event }: Wanted, events: readonly SignedEvent[]): boolean {
  return event === undefined || events.some(({ id }) => id === event.id);
}

/**
 * An event in an answer proves that the relay holds it. Only EOSE proves what is absent, and what is the
 * newest.
 */
export function answerOf(wanted: readonly Wanted[], reply: ReadReply): Answer {
  const sightings = wanted.map((each): Sighting => {
    const sighting = newestAt(each, reply.events);
    if (reply.kind === 'eose' || sighting.kind === 'unknown') return sighting;
    const unknown = unknownBy(reply);
    if (sighting.kind !== 'event') return unknown;
    const { isSilent: _, ...answering } = unknown;
    return { ...answering, event: sighting.event };
  });
  if (wanted.length > 1 && takesFewerFilters(reply)) return { sightings, tooManyFilters: true };
  const words = reply.kind === 'closed' ? reply.reason : reply.kind === 'timeout' ? reply.words : undefined;
  return { sightings, tooMuch: words !== undefined && saysTooMuch(words) ? words : undefined };
}

/** An event of the last answer counts all the same. */
export function heldbackAnswer(
  wanted: readonly Wanted[],
  heldback: Heldback,
  last: Answer | undefined,
): Answer {
  const reason = `takes questions slowly${heldback.words === '' ? '' : ` (${heldback.words})`}`;
  const unknown: Sighting = { kind: 'unknown', reason, heldback };
  return {
    sightings: wanted.map((_, index) => {
      const sighting = last?.sightings[index];
      return sighting && 'event' in sighting ? { ...unknown, event: sighting.event } : unknown;
    }),
  };
}

function takesFewerFilters(reply: ReadReply): boolean {
  switch (reply.kind) {
    case 'eose':
      // Nobody knows which of the filters were answered.
      return reply.isRepeated === true;
    case 'closed':
      return complainsOfFilters(reply.reason);
    case 'timeout':
      return complainsOfFilters(reply.words ?? '');
    case 'lost':
      return false;
  }
}

/** Why the answer is not complete. */
function unknownBy(reply: Exclude<ReadReply, { kind: 'eose' }>): Extract<Sighting, { kind: 'unknown' }> {
  switch (reply.kind) {
    case 'closed':
      return {
        kind: 'unknown',
        reason: `read refused: ${reply.reason}`,
        ...(wantsIdentity(reply) ? { wantsIdentity: true } : {}),
      };
    case 'timeout': {
      const silence = reply.events.length > 0 ? 'a read was not answered to its end' : 'no answer to a read';
      return { kind: 'unknown', reason: withLastWords(silence, reply.words), isSilent: true };
    }
    case 'lost':
      return { kind: 'unknown', reason: plainText(reply.reason) };
  }
}

export function silenceOn({ lastWords: words }: { lastWords: string | undefined }): PublishReply {
  return { kind: 'silent', ...(words === undefined ? {} : { words }) };
}

export function demandsIdentity(reply: PublishReply): boolean {
  return reply.kind === 'ok' && !reply.accepted && meaningOfRefusal(reply.message) === 'authenticate';
}

export function replyOf(reply: PublishReply): SendReply {
  if (reply.kind === 'silent') return reply;
  if (reply.kind === 'lost') return { kind: 'lost', reason: plainText(reply.reason) };
  const { accepted, message } = reply;
  const meaning = accepted ? 'look' : meaningOfRefusal(message);
  if (meaning === 'look') return { kind: 'ok', message };
  if (meaning === 'another') return { kind: 'refused', message, isFinal: true, isForItself: true };
  return { kind: 'refused', message, isFinal: meaning === 'final' };
}

/**
 * A relay that refuses the operator's key will refuse it later too. A signer that is silent may answer later.
 */
export function notAuthenticated(reply: NotAuthenticated): SendReply {
  return reply.kind === 'failed'
    ? { kind: 'lost', reason: why(reply) }
    : { kind: 'refused', message: why(reply), isFinal: true };
}

/** What a refused login means for a question. */
export function unauthenticated(reply: NotAuthenticated): Sighting {
  return { kind: 'unknown', reason: why(reply), ...(reply.kind === 'failed' ? {} : { isFinal: true }) };
}

function why({ kind, reason }: NotAuthenticated): string {
  return plainText(`authentication ${kind}: ${reason}`);
}
