import type { Sighting } from '../../nostr/relays/document-relay';
import { Questions, silenceOf } from '../../nostr/relays/questions';

const NOTHING: Sighting = { kind: 'nothing' };
const SILENT: Sighting = { kind: 'unknown', reason: 'no answer to a read', isSilent: true };
const REFUSED: Sighting = { kind: 'unknown', reason: 'read refused' };

/** So long no test lasts. */
const LONG_MS = 10 * 60_000;

/** Counts how often the relay is asked. */
function relay(answer: () => Sighting[] | undefined | Promise<Sighting[] | undefined>): {
  asked: () => number;
  question: () => Promise<Sighting[] | undefined>;
} {
  let asked = 0;
  return { asked: () => asked, question: async () => ((asked += 1), answer()) };
}

test('a relay that has answered nothing is left alone for a while, and everybody is told so at once', async () => {
  const questions = new Questions(LONG_MS);
  const { asked, question } = relay(() => [SILENT]);
  expect(await questions.ask(1, question)).toEqual([SILENT]);
  expect(await questions.ask(3, question)).toEqual([SILENT, SILENT, SILENT]);
  expect(asked()).toBe(1);
});

test('whatever it says to anybody ends that', async () => {
  const questions = new Questions(LONG_MS);
  await questions.ask(1, relay(() => [SILENT]).question);
  questions.noteAnswer();
  const { asked, question } = relay(() => [NOTHING]);
  expect(await questions.ask(1, question)).toEqual([NOTHING]);
  expect(asked()).toBe(1);
});

test('after the pause one question at a time finds out whether it is back', async () => {
  const questions = new Questions(0);
  await questions.ask(1, relay(() => [SILENT]).question);
  let answer: (sightings: Sighting[]) => void = () => undefined;
  const slow = relay(() => new Promise((resolve) => (answer = resolve)));
  const trial = questions.ask(1, slow.question);
  const others = await Promise.all([1, 2, 3].map(() => questions.ask(1, slow.question)));
  expect(others.flat()).toEqual([SILENT, SILENT, SILENT]);
  expect(slow.asked()).toBe(1);
  answer([NOTHING]);
  expect(await trial).toEqual([NOTHING]);
  const back = relay(() => [NOTHING]);
  await Promise.all([1, 2].map(() => questions.ask(1, back.question)));
  expect(back.asked()).toBe(2);
});

test('a refusal, an answer to others meanwhile, and one that asks to be asked otherwise are no silence', async () => {
  const questions = new Questions(LONG_MS);
  await questions.ask(1, relay(() => [REFUSED]).question);
  const meanwhile = relay(async () => {
    questions.noteAnswer();
    return [SILENT];
  });
  await questions.ask(1, meanwhile.question);
  expect(await questions.ask(1, relay(() => undefined).question)).toBeUndefined();
  const { asked, question } = relay(() => [NOTHING]);
  expect(await questions.ask(1, question)).toEqual([NOTHING]);
  expect(asked()).toBe(1);
});

test('a question that fails is told of each address, and a quick failure holds nobody up', async () => {
  const questions = new Questions(LONG_MS);
  const failing = relay(() => Promise.reject(new Error('connection refused')));
  const unknown = { kind: 'unknown', reason: 'connection refused' };
  expect(await questions.ask(2, failing.question)).toEqual([unknown, unknown]);
  await questions.ask(1, failing.question);
  expect(failing.asked()).toBe(2);
});

test('asks a few questions at a time', async () => {
  const questions = new Questions(LONG_MS);
  const ends: (() => void)[] = [];
  const { asked, question } = relay(() => new Promise((resolve) => ends.push(() => resolve([NOTHING]))));
  const all = Array.from({ length: 9 }, () => questions.ask(1, question));
  const counts: number[] = [];
  while (asked() < all.length || ends.length > 0) {
    await new Promise((resolve) => setImmediate(resolve));
    counts.push(ends.length);
    ends.splice(0).forEach((end) => end());
  }
  await Promise.all(all);
  expect(asked()).toBe(9);
  expect(Math.max(...counts)).toBe(4);
});

test.each([
  [[], undefined],
  [[SILENT, SILENT], SILENT],
  [[SILENT, NOTHING], undefined],
  [[SILENT, REFUSED], undefined],
  [[NOTHING], undefined],
])('%j is silence: %j', (sightings, expected) => {
  expect(silenceOf(sightings)).toEqual(expected);
});
