import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import os from 'node:os';
import { promisify } from 'node:util';

/** What a process has cost so far. */
export interface ProcessFacts {
  cpuMs: number;
  rssBytes: number;
}

/** Clock ticks of /proc: a constant of Linux' interface, whatever the kernel's own. */
const TICKS_PER_S = 100;

export async function processFacts(pid: number): Promise<ProcessFacts> {
  if (process.platform !== 'linux') return fromPs(pid);
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  // The second field is the name, which may hold blanks and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const cpuMs = ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_S;
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return { cpuMs, rssBytes: Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024 };
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
  /** Processes that wanted to run when the bench began and ended, averaged over a minute. */
  loadBefore: number;
  loadAfter?: number;
}

/** What the figures depend on, and nothing that names the machine. */
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
