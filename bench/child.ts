import path from 'node:path';
import { type ProcessGroup, startProcessGroup } from '../embedded/process-group';

/**
 * Child processes of the bench: their CPU is counted separately. Each writes a line on standard error when it
 * is ready.
 */
const READY = 'ready ';
const READY_WITHIN_MS = 120_000;

/** A child writes its counts after this signal. Without the signal, counting costs nothing. */
const ASKED = 'SIGUSR2';
const COUNTED = 'counted ';
const COUNTED_WITHIN_MS = 30_000;

export interface Child<Facts> extends ProcessGroup {
  /** The data of its ready line. */
  facts: Facts;
  /** The counts so far, see `countedBy`. Only one call at a time. */
  counted<Counts>(): Promise<Counts>;
}

/**
 * @param readyWithinMs the timeout. Some programs are ready only at their end: for them it is the time of all
 *   work
 */
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

/** In the child: the options that it was started with. */
export function childArguments<T>(): T {
  return JSON.parse(process.argv[2] ?? '{}') as T;
}

/** In the child. */
export function tellReady(facts: unknown): void {
  console.error(`${READY}${JSON.stringify(facts)}`);
}

/** In the child, before it is ready: registers the function that returns its counts. */
export function countedBy(counts: () => unknown): void {
  process.on(ASKED, () => console.error(`${COUNTED}${JSON.stringify(counts())}`));
}
