import { quorumVerdict, type RelayVerdict, relayVerdict } from '../../inspection/verdict';

type State = RelayVerdict['state'];

describe('what the relays say together', () => {
  test.each<[State[], number, State]>([
    [['current', 'current', 'missing'], 2, 'current'],
    [['current', 'missing', 'missing'], 2, 'missing'],
    [['current', 'older', 'missing'], 2, 'older'],
    // Machines take the newest they are shown.
    [['current', 'current', 'newer'], 2, 'newer'],
    [['newer', 'missing', 'missing'], 2, 'missing'],
    // The relay that does not answer may have it: neither good news nor bad.
    [['current', 'missing', 'unknown'], 2, 'unknown'],
    [['missing', 'missing', 'unknown'], 2, 'missing'],
    [['unknown', 'unknown', 'unknown'], 2, 'unknown'],
    [['current'], 1, 'current'],
  ])('%j with a quorum of %i: %s', (states, required, verdict) => {
    expect(
      quorumVerdict(
        states.map((state) => ({ state })),
        required,
      ),
    ).toBe(verdict);
  });
});

describe('what one relay has', () => {
  const event = {
    id: 'b'.repeat(64),
    created_at: 100,
    pubkey: '',
    kind: 30078,
    tags: [],
    content: '',
    sig: '',
  };

  test.each([
    ['the same', { id: event.id, created_at: 100 }, 'current'],
    ['one of a later second', { id: 'c'.repeat(64), created_at: 99 }, 'newer'],
    ['one of an earlier second', { id: 'c'.repeat(64), created_at: 101 }, 'older'],
    // Of one second the lowest id wins (NIP-01).
    ['a lower id of the same second', { id: 'c'.repeat(64), created_at: 100 }, 'newer'],
    ['a higher id of the same second', { id: 'a'.repeat(64), created_at: 100 }, 'older'],
    ['one where none should be', undefined, 'newer'],
  ])('%s', (_what, expected, state) => {
    expect(relayVerdict({ kind: 'event', event }, expected).state).toBe(state);
  });

  test('nothing is missing, and what proves nothing is unknown', () => {
    const expected = { id: event.id, created_at: 100 };
    expect(relayVerdict({ kind: 'nothing' }, expected)).toEqual({ state: 'missing' });
    expect(relayVerdict({ kind: 'unseen' }, expected).state).toBe('unknown');
    expect(relayVerdict({ kind: 'unknown', reason: 'timed out' }, expected)).toEqual({
      state: 'unknown',
      detail: 'timed out',
    });
  });
});
