import fc from 'fast-check';
import { Laggards, Round } from '../../nostr/relays/round';

/** Long enough that a test which waits for it does not end. */
const NEVER_MS = 10 * 60_000;

/** A relay whose answers the test gives. */
interface Relay {
  url: string;
  isAsked: boolean;
  /** Ends the question. */
  end(): void;
}

/** A round that is asked now, and whether it is over. */
function begin(
  urls: readonly string[],
  {
    things = 1,
    required,
    laggards = new Laggards(),
  }: { things?: number; required: number; laggards?: Laggards },
  grace: { ms: number; forLaggardsMs: number },
): {
  round: Round;
  relays: Relay[];
  over: Promise<void>;
  isOver: () => Promise<boolean>;
  laggards: Laggards;
} {
  const relays = urls.map((url): Relay => ({ url, isAsked: false, end: () => undefined }));
  const round = new Round(urls, things, required, laggards);
  let ended = false;
  const over = round
    .ask(
      (url) =>
        new Promise((resolve) => {
          const relay = relays.find((each) => each.url === url) as Relay;
          relay.isAsked = true;
          relay.end = resolve;
        }),
      grace,
    )
    .then(() => void (ended = true));
  const isOver = async (): Promise<boolean> => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    return ended;
  };
  return { round, relays, over, isOver, laggards };
}

const LONG = { ms: NEVER_MS, forLaggardsMs: NEVER_MS };
const SHORT = { ms: 1, forLaggardsMs: 1 };

test('asks every relay, and is over when all have answered', async () => {
  const { relays, over, isOver } = begin(['a', 'b', 'c'], { required: 2 }, LONG);
  expect(relays.map(({ isAsked }) => isAsked)).toEqual([true, true, true]);
  for (const relay of relays.slice(0, 2)) relay.end();
  expect(await isOver()).toBe(false);
  relays[2]?.end();
  await over;
});

test('waits a moment more once a quorum has answered for each thing, and no moment before', async () => {
  const { round, isOver, over, laggards } = begin(['a', 'b', 'c'], { things: 2, required: 2 }, SHORT);
  for (const thing of [0, 0, 0, 1]) round.answered(thing);
  expect(await isOver()).toBe(false);
  round.answered(1);
  await over;
  expect(['a', 'b', 'c'].map((url) => laggards.has(url))).toEqual([true, true, true]);
});

test('nobody is waited for where nothing is asked of a quorum', async () => {
  await begin(['a'], { required: 0 }, SHORT).over;
});

test('a relay that kept others waiting is given less time in the next round, until it answers within one', async () => {
  const laggards = new Laggards();
  laggards.add('b');
  const onlyForLaggards = { ms: NEVER_MS, forLaggardsMs: 1 };
  const second = begin(['a', 'b'], { required: 1, laggards }, onlyForLaggards);
  second.relays[0]?.end();
  second.round.answered(0);
  // The quick ones have all answered: the laggard's share is all that is waited for.
  await second.over;
  expect([laggards.has('a'), laggards.has('b')]).toEqual([false, true]);
  // Too late: the round is over.
  second.round.heard('b');
  expect(laggards.has('b')).toBe(true);
  const third = begin(['a', 'b'], { required: 1, laggards }, LONG);
  third.round.heard('b');
  expect(laggards.has('b')).toBe(false);
  for (const relay of third.relays) relay.end();
  await third.over;
});

test('whatever is answered in whatever order, a round ends as soon as all have, and never without a quorum', async () => {
  const happening = fc.record({ thing: fc.nat(2), isEnd: fc.boolean(), relay: fc.nat(3) });
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.array(happening), async (required, happenings) => {
      const { round, relays, over, isOver } = begin(['a', 'b', 'c', 'd'], { things: 3, required }, LONG);
      const good = [0, 0, 0];
      const ended = new Set<number>();
      for (const { thing, isEnd, relay } of happenings) {
        if (isEnd) {
          ended.add(relay);
          relays[relay]?.end();
        } else {
          good[thing] = (good[thing] ?? 0) + 1;
          round.answered(thing);
        }
      }
      if (ended.size < 4) {
        expect(await isOver()).toBe(false);
        for (const relay of relays) relay.end();
      }
      await over;
    }),
    { numRuns: 30 },
  );
});
