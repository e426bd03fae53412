import { Replies } from '../../activities/sweep/replies';
import type { SignedEvent } from '../../nostr/events';
import type { SendReply, Sighting } from '../../nostr/relays/document-relay';

describe('what relays replied during a sweep', () => {
  const event = { id: 'a'.repeat(64) } as SignedEvent;
  const nothing: Sighting = { kind: 'nothing' };
  const ok: SendReply = { kind: 'ok', message: '' };
  const seen = new Map([
    ['one', nothing],
    ['other', nothing],
  ]);

  test('counts for the event that it is about', () => {
    const replies = new Replies();
    replies.noteSent(event, performance.now(), new Map([['one', ok]]));
    expect(replies.with(event, seen)).toEqual(
      new Map([
        ['one', { shown: nothing, sent: ok, wasSilent: false }],
        ['other', { shown: nothing, sent: undefined, wasSilent: false }],
      ]),
    );
    expect(replies.with({ ...event, id: 'b'.repeat(64) }, seen).get('one')?.sent).toBeUndefined();
  });

  test('counts no more once the relay was silent about any document, and again for what is sent after that', () => {
    const replies = new Replies();
    const sent = new Map([
      ['one', ok],
      ['other', ok],
    ]);
    replies.noteSent(event, performance.now(), sent);
    replies.noteSilences(new Map([['one', { kind: 'unknown', reason: 'away' }]]));
    expect(replies.with(event, seen)).toEqual(
      new Map([
        ['one', { shown: nothing, sent: undefined, wasSilent: true }],
        ['other', { shown: nothing, sent: ok, wasSilent: false }],
      ]),
    );
    replies.noteSent(event, performance.now() + 1, sent);
    expect(replies.with(event, seen).get('one')).toEqual({ shown: nothing, sent: ok, wasSilent: true });
  });

  test('hears late replies, and takes no relay for silent that takes questions slowly', () => {
    const replies = new Replies();
    const sent = new Map<string, SendReply>([['one', { kind: 'silent' }]]);
    replies.noteSent(event, performance.now(), sent);
    sent.set('one', ok);
    const heldback = {
      untilMs: 0,
      deniedForMs: 0,
      traffic: 'questions',
      words: '',
      wasTried: false,
    } as const;
    replies.noteSilences(new Map([['one', { kind: 'unknown', reason: 'takes questions slowly', heldback }]]));
    expect(replies.with(event, seen).get('one')).toEqual({ shown: nothing, sent: ok, wasSilent: false });
  });
});
