import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import os from 'node:os';
import { promisify } from 'node:util';

/** CPU and memory of a process so far. */
export interface ProcessFacts {
  cpuMs: number;
  rssBytes: number;
}

/** Clock ticks of /proc for each second. It is the same for every Linux kernel. */
const TICKS_PER_S = 100;

export async function processFacts(pid: number): Promise<ProcessFacts> {
  if (process.platform !== 'linux') return fromPs(pid);
  const { ownMs } = await statOf(String(pid));
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return { cpuMs: ownMs, rssBytes: Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024 };
}

interface Stat {
  parent: number;
  ownMs: number;
  /** CPU of its children that have ended, with their own children. */
  endedMs: number;
}

async function statOf(pid: string): Promise<Stat> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  // The second field is the name. It may contain spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ms = (first: number): number =>
    ((Number(fields[first]) + Number(fields[first + 1])) * 1000) / TICKS_PER_S;
  return { parent: Number(fields[1]), ownMs: ms(11), endedMs: ms(13) };
}

/** The processes of a measurement, by their name in the tables. */
export type Parts = Record<string, readonly number[]>;

/**
 * CPU and memory of each part so far, with all child processes. Postgres has a process for each connection.
 * The CPU of an ended process is in the counts of its parent.
 *
 * @returns undefined: this is not Linux
 */
export async function cpuMsOfParts(parts: Parts): Promise<Record<string, number> | undefined> {
  if (process.platform !== 'linux') return undefined;
  const stats = new Map<number, Stat>();
  const children = new Map<number, number[]>();
  for (const name of await readdir('/proc')) {
    const stat = /^\d+$/.test(name) ? await statOf(name).catch(() => undefined) : undefined;
    if (stat === undefined) continue; // no process, or one that has ended meanwhile
    stats.set(Number(name), stat);
    children.set(stat.parent, [...(children.get(stat.parent) ?? []), Number(name)]);
  }
  const costOf = (pid: number): number => {
    const { ownMs, endedMs } = stats.get(pid) ?? { ownMs: 0, endedMs: 0 };
    return (children.get(pid) ?? []).reduce((sum, child) => sum + costOf(child), ownMs + endedMs);
  };
  return Object.fromEntries(
    Object.entries(parts).map(([name, pids]) => [name, pids.reduce((sum, pid) => sum + costOf(pid), 0)]),
  );
}

/** The difference between two calls of `costsOf`, for each document. */
export function cpuBetween(
  before: Record<string, number> | undefined,
  after: Record<string, number> | undefined,
  documents: number,
): Record<string, number> | undefined {
  if (before === undefined || after === undefined) return undefined;
  return Object.fromEntries(
    Object.entries(after).map(([name, ms]) => [name, (ms - (before[name] ?? 0)) / documents]),
  );
}

async function fromPs(pid: number): Promise<ProcessFacts> {
  const { stdout } = await promisify(execFile)('ps', ['-o', 'rss=,time=', '-p', String(pid)]);
  const [rss = '0', time = '0'] = stdout.trim().split(/\s+/);
  const seconds = time.split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
  return { cpuMs: seconds * 1000, rssBytes: Number(rss) * 1024 };
}

export interface MachineFacts {
  cores: number;
  cpu: string;
  memoryGiB: number;
  platform: string;
  node: string;
  /** Load average (1 minute) at the beginning and at the end of the bench. */
  loadBefore: number;
  loadAfter?: number;
}

/** The machine, without anything that identifies it. */
export function machineFacts(): MachineFacts {
  return {
    cores: os.availableParallelism(),
    cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    platform: `${os.platform()} ${os.arch()}`,
    node: process.version,
    loadBefore: loadNow(),
  };
}

export function loadNow(): number {
  return Math.round((os.loadavg()[0] ?? 0) * 10) / 10;
}
