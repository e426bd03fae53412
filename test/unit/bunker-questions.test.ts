import fc from 'fast-check';
import { getPublicKey } from 'nostr-tools/pure';
import { RepublishError } from '../../contract/failures';
import { BunkerClient } from '../../nostr/bunker/client';
import { type Answer, KeptAnswers } from '../../nostr/bunker/kept-answers';
import { Limiter } from '../../async/limiter';
import { QuestionIds } from '../../nostr/bunker/question-id';
import { tellingSilence } from '../../nostr/bunker/silence';

const secretKey = (): Uint8Array => new Uint8Array(32).fill(7);
const question = fc.record({
  runId: fc.string({ maxLength: 5 }),
  n: fc.nat({ max: 3 }),
  method: fc.constantFrom('nip44_encrypt', 'sign_event'),
  params: fc.array(fc.string({ maxLength: 4 }), { maxLength: 3 }),
});

describe('the id of a question', () => {
  test('is the same for the same question, whoever asks, and another for any other', () => {
    fc.assert(
      fc.property(question, question, (one, other) => {
        const idOf = ({ method, params, ...which }: typeof one): string =>
          new QuestionIds(secretKey()).of(which, method, params);
        expect(idOf(one)).toMatch(/^[0-9a-f]{32}$/);
        expect(idOf(one) === idOf(other)).toBe(JSON.stringify(one) === JSON.stringify(other));
      }),
    );
  });

  test('is of the client that asks', () => {
    const which = { runId: 'run', n: 0 };
    const ofAnother = new QuestionIds(new Uint8Array(32).fill(8)).of(which, 'sign_event', ['{}']);
    expect(new QuestionIds(secretKey()).of(which, 'sign_event', ['{}'])).not.toBe(ofAnother);
  });
});

describe('kept answers', () => {
  const HOUR_MS = 60 * 60_000;

  test('are given as they came, the newest of each question, and are bounded by number, size and age', () => {
    const answer = fc.oneof(
      fc.nat({ max: 3_000_000 }).map((length): Answer => ({ result: 'x'.repeat(length) })),
      fc.constant<Answer>({ refusal: new RepublishError('SignerBusy', 'no') }),
    );
    const step = fc.record({
      id: fc.nat({ max: 8 }).map(String),
      answer,
      afterMs: fc.nat({ max: HOUR_MS / 3 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const kept = new KeptAnswers();
        const model = new Map<string, { answer: Answer; atMs: number }>();
        let nowMs = 0;
        for (const { id, answer: given, afterMs } of steps) {
          nowMs += afterMs;
          kept.keep(id, given, false, nowMs);
          model.set(id, { answer: given, atMs: nowMs });
        }
        let size = 0;
        for (const [id, { answer: given, atMs }] of model) {
          const taken = kept.take(id, nowMs);
          if (taken === undefined) continue;
          expect(taken).toBe(given);
          expect(nowMs - atMs).toBeLessThan(HOUR_MS);
          size += 'result' in taken ? taken.result.length : 0;
        }
        expect(size).toBeLessThanOrEqual(8 * 1024 * 1024);
        // The newest is never given up for the others.
        const last = steps.at(-1);
        if (last !== undefined) expect(kept.take(last.id, nowMs)).toBe(last.answer);
        kept.clear();
        expect(kept.take(last?.id ?? '', nowMs)).toBeUndefined();
      }),
      { numRuns: 50 },
    );
  });

  test('at most a thousand, those that came last', () => {
    const kept = new KeptAnswers();
    for (let n = 0; n < 1_500; n += 1) kept.keep(String(n), { result: 'x' }, true, n);
    expect(kept.take('499', 1_500)).toBeUndefined();
    expect(kept.take('500', 1_500)).toEqual({ result: 'x' });
    expect(kept.take('1499', 1_500)).toEqual({ result: 'x' });
  });

  test('wait for whoever comes for them', () => {
    const kept = new KeptAnswers();
    kept.keep('a', { result: 'x' }, true, 0);
    expect(kept.hasUntaken(0)).toBe(false);
    kept.keep('b', { result: 'x' }, false, 0);
    expect(kept.hasUntaken(0)).toBe(true);
    expect(kept.hasUntaken(HOUR_MS)).toBe(false);
    kept.keep('c', { result: 'x' }, false, HOUR_MS);
    kept.take('c', HOUR_MS);
    expect(kept.hasUntaken(HOUR_MS)).toBe(false);
  });
});

describe('a signer that tells what silence may mean', () => {
  test('says that an answer is awaited, or it would be closed before a person has the time', async () => {
    const client = new BunkerClient({
      bunkerPubkey: getPublicKey(secretKey()),
      relays: [],
      clientSecretKey: secretKey(),
      requestTimeoutMs: 60_000,
      approvalTimeoutMs: 60_000,
      connectTimeoutMs: 1_000,
      limiter: new Limiter(1),
    });
    const signer = tellingSilence(client, 60_000);
    expect(signer.isAwaited).toBe(false);
    const pong = client.ping({});
    expect(signer.isAwaited).toBe(true);
    signer.close();
    await expect(pong).rejects.toMatchObject({ type: 'SignerUnreachable' });
    expect(signer.isAwaited).toBe(false);
  });
});
