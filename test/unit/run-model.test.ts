import fc from 'fast-check';
import type { PageResult, SweepResult } from '../../contract/activities';
import type { Failure } from '../../contract/failures';
import { type Circumstances, type Next, Pages, type Step } from '../../rules/pages';
import { documentsOf } from '../../rules/tally';
import { type Choose, type ModelOptions, RunModel } from '../support/run-model';

/** Far more than any run of these needs once nothing fails any more. */
const MAX_TICKS = 5_000;

const runs = fc.record({
  holds: fc.boolean(),
  machines: fc.integer({ min: 0, max: 7 }),
  machinesPerCall: fc.integer({ min: 1, max: 4 }),
  limits: fc.record({
    documentsPerPage: fc.integer({ min: 1, max: 3 }),
    pagesAtOnce: fc.integer({ min: 1, max: 3 }),
    pagesPerExecution: fc.integer({ min: 1, max: 12 }),
  }),
});
/** `harmfulTicks`: for how many ticks random faults may happen. After that nothing fails any more. */
const chance = fc.record({ seed: fc.integer(), harmfulTicks: fc.nat({ max: 300 }) });

/** Lets chance act, then mends everything, and waits for the end. */
function play(
  options: ModelOptions,
  { seed, harmfulTicks }: { seed: number; harmfulTicks: number },
): RunModel {
  const model = new RunModel(options);
  const choose = choices(seed);
  for (let ticks = 0; !model.hasEnded; ticks += 1) {
    if (ticks === harmfulTicks) model.heal();
    if (ticks > MAX_TICKS) throw new Error(`it does not end: ${model.pages.phase}`);
    model.tick(choose);
  }
  return model;
}

/** Evenly, unlike the numbers of fast-check; and the same for the same seed (mulberry32). */
function choices(seed: number): Choose {
  let state = seed;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}

/** Whatever had happened: what a run that has ended must have brought. */
function requireTruth(
  { pages, ledger, tally, isCancelled, lastStep }: RunModel,
  { holds }: ModelOptions,
): void {
  if (isCancelled || pages.endedBy !== undefined) return;
  expect(lastStep).toBe('sweep');
  expect(ledger.documents).toHaveLength(ledger.machines.length * 2);
  // What is shown is what the ledger says, to the last document.
  expect(
    Object.fromEntries(Object.entries(tally.byType).filter(([, counts]) => documentsOf(counts) > 0)),
  ).toEqual(ledger.counts);
  // Open documents are left only where a cause stopped a run that reports, and that cause is named.
  if (pages.blocked === undefined) expect(ledger.open()).toEqual([]);
  if (holds) {
    expect(pages.blocked).toBeUndefined();
    expect(ledger.documents.filter(({ outcome }) => outcome === 'failed')).toEqual([]);
  }
}

test('a run ends, forgets no document, has no page in work twice, and its counts are the ledger’s', () => {
  fc.assert(
    fc.property(runs, chance, (options, happening) => requireTruth(play(options, happening), options)),
    { numRuns: 1_000 },
  );
});

test('where nothing fails, each page goes out once, and nothing is asked of the ledger but the sweep', () => {
  const begun: string[] = [];
  class Watched extends Pages {
    override begin(step: Step): void {
      begun.push(step.do === 'republish' ? `page ${step.page}` : step.do);
      super.begin(step);
    }
  }
  const model = new RunModel({ holds: false, rule: Watched, machines: 3, limits: { pagesAtOnce: 4 } });
  model.heal();
  for (let ticks = 0; !model.hasEnded && ticks < 100; ticks += 1) model.tick((limit) => limit - 1);
  expect(begun).toEqual(['load machines', 'prove signer', 'page 0', 'page 1', 'sweep']);
  expect(model.tally.total).toMatchObject({ planned: 6, published: 6, open: 0, failed: 0 });
});

describe('a sweep that finds another account key', () => {
  const sweptPages = (holds: boolean): Pages => {
    const { opened } = new RunModel({ holds }).ledger;
    const pages = new Pages(holds, opened);
    pages.begin({ do: 'sweep', blocked: false });
    const failure: Failure = { type: 'PlanOutdated', message: 'another key' };
    pages.swept({ pages: [], counts: {}, failures: [], swept: true, failure });
    return pages;
  };
  const quiet = { cancelled: false, stopped: false, isHistoryLong: false };

  test('ends a run, and the audit says that all was looked at', () => {
    const pages = sweptPages(false);
    expect(pages.next(quiet)).toEqual({ do: 'end' });
    expect(pages).toMatchObject({ isSwept: true, endedBy: { type: 'PlanOutdated' } });
  });

  test('holds a run, which is swept again after a retry', () => {
    const pages = sweptPages(true);
    expect(pages.next(quiet)).toEqual({ do: 'wait' });
    expect(pages.phase).toBe('holding');
    pages.unblock();
    expect(pages.next(quiet)).toEqual({ do: 'sweep', blocked: false });
  });
});

describe('a page that failed for a cause which others share', () => {
  const quiet = { cancelled: false, stopped: false, isHistoryLong: false };
  const cause: Failure = { type: 'SignerTimeout', message: 'no answer' };
  const blockedPages = (): Pages => {
    const { opened } = new RunModel({ holds: false, limits: { pagesAtOnce: 2 } }).ledger;
    const pages = new Pages(false, opened);
    pages.viewed({ pages: [0, 1, 2].map((page) => [page, { open: 3 }]), counts: {}, failures: [] });
    pages.begin({ do: 'republish', page: 0 });
    pages.begin({ do: 'republish', page: 1 });
    pages.returned(0, { counts: { failed: 3 }, cause });
    return pages;
  };

  test('keeps others from being begun; those in work end, and the sweep looks at what stands', () => {
    const pages = blockedPages();
    expect(pages.blocked).toEqual(cause);
    expect(pages.next(quiet)).toEqual({ do: 'wait' });
    pages.returned(1, { counts: { failed: 3 } });
    expect(pages.next(quiet)).toEqual({ do: 'sweep', blocked: true });
  });

  test('keeps none once documents of another page have come to stand', () => {
    const pages = blockedPages();
    pages.returned(1, { counts: { open: 2, published: 1 }, stood: true });
    expect(pages.blocked).toBeUndefined();
    expect(pages.next(quiet)).toEqual({ do: 'republish', page: 2 });
  });
});

/** A check that cannot fail says nothing: rules that are wrong in one thing each. */
class GivesOutTwice extends Pages {
  #last: Step | undefined;

  override begin(step: Step): void {
    this.#last = step;
    super.begin(step);
  }

  override next(circumstances: Circumstances): Next {
    const next = super.next(circumstances);
    const isEager = next.do === 'wait' && !circumstances.stopped && this.inWork === 1;
    return isEager && this.#last !== undefined ? this.#last : next;
  }
}
class SweepsOnce extends Pages {
  #sweeps = 0;

  override swept(result: SweepResult): boolean {
    this.#sweeps += 1;
    return super.swept(result);
  }

  override next(circumstances: Circumstances): Next {
    const next = super.next(circumstances);
    return next.do === 'sweep' && this.#sweeps > 0 ? { do: 'end' } : next;
  }
}
class TellsNobodyOfViews extends Pages {
  override viewed(): boolean {
    return super.viewed({ pages: [], counts: {}, failures: [] });
  }
}
class ForgetsWhatGaveWay extends Pages {
  override returned(page: number, result: PageResult): void {
    super.returned(page, { ...result, counts: { ...result.counts, open: 0 } });
  }

  override swept(result: SweepResult): boolean {
    return super.swept({ ...result, swept: true, pages: [] });
  }
}

test.each([
  ['gives a page out twice', GivesOutTwice],
  ['takes a page that yields for done, and believes no sweep', ForgetsWhatGaveWay],
  ['does not look again after its first sweep', SweepsOnce],
  ['does not take what the ledger says', TellsNobodyOfViews],
])('a rule that %s is found out', (_, rule) => {
  const wrong = fc.check(
    fc.property(runs, chance, (options, happening) => {
      const altered = { ...options, rule };
      requireTruth(play(altered, happening), altered);
    }),
    { numRuns: 1_000, endOnFailure: true },
  );
  expect(wrong.failed).toBe(true);
});
