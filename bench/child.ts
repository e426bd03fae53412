import path from 'node:path';
import { type ProcessGroup, startProcessGroup } from '../embedded/process-group';

/**
 * Programs of the bench that run beside it, so that what they cost is theirs. They say on standard error that
 * they are ready.
 */
const READY = 'ready ';
const READY_WITHIN_MS = 120_000;

/** What a child has counted it says at this signal: it costs nothing while nobody asks. */
const ASKED = 'SIGUSR2';
const COUNTED = 'counted ';
const COUNTED_WITHIN_MS = 30_000;

export interface Child<Facts> extends ProcessGroup {
  /** What it said when it was ready. */
  facts: Facts;
  /** What it has counted so far; see `countedBy`. One question at a time. */
  counted<Counts>(): Promise<Counts>;
}

/** @param readyWithinMs for a program that is ready only when it is done, longer than all it does may take */
export async function startChild<Facts>(
  program: string,
  argument: unknown = {},
  readyWithinMs = READY_WITHIN_MS,
): Promise<Child<Facts>> {
  let ready: (facts: Facts) => void = () => undefined;
  let answered: (counts: unknown) => void = () => undefined;
  const facts = new Promise<Facts>((resolve) => (ready = resolve));
  const child = await startProcessGroup({
    name: program,
    command: process.execPath,
    args: [
      path.join(__dirname, '../scripts/run-typescript.cjs'),
      path.join(__dirname, `${program}.ts`),
      JSON.stringify(argument),
    ],
    cwd: path.join(__dirname, '..'),
    env: { PATH: '/usr/bin:/bin' },
    onLine: (line) => {
      if (line.startsWith(READY)) ready(JSON.parse(line.slice(READY.length)) as Facts);
      if (line.startsWith(COUNTED)) answered(JSON.parse(line.slice(COUNTED.length)));
    },
    orphan: { signal: 'SIGKILL' },
  });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => (timer = setTimeout(resolve, readyWithinMs, undefined)));
  const outcome = await Promise.race([facts, late, child.exited.then(() => undefined)]);
  clearTimeout(timer);
  if (outcome === undefined) {
    await child.stop('SIGKILL', 1_000);
    throw new Error(`${program} did not come up: ${child.epitaph()}`);
  }
  const counted = async <Counts>(): Promise<Counts> => {
    const answer = new Promise<unknown>((resolve) => (answered = resolve));
    child.kill(ASKED);
    return (await within(COUNTED_WITHIN_MS, answer, `${program} does not say what it has counted`)) as Counts;
  };
  return Object.assign(child, { facts: outcome, counted });
}

async function within<T>(ms: number, work: Promise<T>, complaint: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(complaint)), ms);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

/** In the child: what it was started with. */
export function childArguments<T>(): T {
  return JSON.parse(process.argv[2] ?? '{}') as T;
}

/** In the child. */
export function tellReady(facts: unknown): void {
  console.error(`${READY}${JSON.stringify(facts)}`);
}

/** In the child, before it is ready: what it has counted whenever its parent asks. */
export function countedBy(counts: () => unknown): void {
  process.on(ASKED, () => console.error(`${COUNTED}${JSON.stringify(counts())}`));
}
