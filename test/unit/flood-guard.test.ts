import { FloodGuard } from '../../nostr/relays/flood-guard';

const RATE = { messagesPerS: 10, charsPerS: 1_000 };

describe('FloodGuard', () => {
  test('lets a burst of some seconds’ worth pass, and nothing beyond', () => {
    const guard = new FloodGuard(RATE, () => 0);
    const answers = Array.from({ length: 51 }, () => guard.note(1));
    expect(answers.slice(0, 50)).toEqual(Array(50).fill(undefined));
    expect(answers[50]).toContain('more than can be listened to');
  });

  test('counts characters as well as messages', () => {
    const guard = new FloodGuard(RATE, () => 0);
    expect(guard.note(5_000)).toBeUndefined();
    expect(guard.note(1)).toContain('more than can be listened to');
  });

  test('begins anew with each window', () => {
    let nowMs = 0;
    const guard = new FloodGuard(RATE, () => nowMs);
    for (; nowMs < 60_000; nowMs += 100) expect(guard.note(100)).toBeUndefined();
  });

  test('without a rate only what is no Nostr message counts', () => {
    const guard = new FloodGuard();
    const warnings = Array.from({ length: 100_000 }, () => guard.note(1_000_000));
    expect(warnings.filter((warning) => warning !== undefined)).toEqual([]);
    const answers = Array.from({ length: 1_000 }, () => guard.noteMalformed());
    expect(answers.filter((answer) => answer !== undefined)).toHaveLength(1);
    expect(answers.at(-1)).toContain('no Nostr message');
  });
});
