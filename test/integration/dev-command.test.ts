import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { republish } from '../support/command-line';
import { until } from '../support/until';

const COMMAND_LINE = path.resolve(__dirname, '../../dist/client/cli/main.js');

/** Processes of the whole tree below a process, by id. */
function descendants(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const parent = parentOf(Number(entry));
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
  }
  const below = (root: number): number[] =>
    (children.get(root) ?? []).flatMap((child) => [child, ...below(child)]);
  return below(pid);
}

function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined;
  }
}

const isAlive = (pid: number): boolean => parentOf(pid) !== undefined;
const leftovers = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('republish-'));

test('republish dev prints the environment, runs, and leaves nothing behind after Ctrl-C', async () => {
  const before = leftovers();
  const dev = spawn(process.execPath, [COMMAND_LINE, 'dev', '--operators', '2', '--machines', '2'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  dev.stdout.on('data', (chunk) => (stdout += String(chunk)));
  dev.stderr.on('data', (chunk) => (stderr += String(chunk)));
  const ended = new Promise<number | null>((resolve) => dev.once('close', resolve));
  await Promise.race([
    until(() => stderr.includes('Ctrl-C stops everything'), 50_000),
    ended.then(() => Promise.reject(new Error(`republish dev ended: ${stderr}`))),
  ]);

  const env = Object.fromEntries(
    [...stdout.matchAll(/^export (\w+)='(.*)'$/gm)].map(([, name, value]) => [name, value]),
  );
  expect(Object.keys(env).sort()).toEqual(
    [
      'DATABASE_URL',
      'REPUBLISH_RELAYS',
      'REPUBLISH_SECRETS_KEY',
      'REPUBLISH_TASK_QUEUE',
      'TEMPORAL_ADDRESS',
    ].sort(),
  );
  const result = await republish(['start', 'operator-2', '--json'], env as Record<string, string>);
  expect(result.code).toBe(0);
  await until(() => (stderr.match(/operator-2-machine-0000\d .* reads/g) ?? []).length === 4);

  const family = descendants(dev.pid ?? -1);
  expect(family.length).toBeGreaterThan(3);
  dev.kill('SIGINT');
  expect(await ended).toBe(0);
  await until(() => family.filter(isAlive).length === 0);
  expect(leftovers().filter((name) => !before.includes(name))).toEqual([]);
}, 90_000);

test('republish demo tells its story to the end and exits 0', async () => {
  const { code, stdout, stderr } = await republish(['demo']);
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
  expect(stderr).toContain('the bunker swallows a request to sign');
  expect(stderr).toContain('kill -9 of the worker');
  expect(stderr).toContain('one audit row, and it agrees');
  expect(stdout).toContain('"bitspire-fees"');
  expect(stderr).toMatch(/Temporal UI: http:\/\/127\.0\.0\.1:\d+/);
}, 90_000);
