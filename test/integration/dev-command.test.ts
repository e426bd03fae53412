import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { republish } from '../support/command-line';
import { until } from '../support/until';

const COMMAND_LINE = path.resolve(__dirname, '../../dist/client/cli/main.js');

/** Processes of the whole tree below a process, by id. */
function descendants(pid: number): number[] {
  const children = new Map<number, number[]>();
  const listed = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' });
  for (const [, child, parent] of listed.matchAll(/^\s*(\d+)\s+(\d+)$/gm)) {
    children.set(Number(parent), [...(children.get(Number(parent)) ?? []), Number(child)]);
  }
  const below = (root: number): number[] =>
    (children.get(root) ?? []).flatMap((child) => [child, ...below(child)]);
  return below(pid);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test('republish dev prints the environment, runs, and leaves nothing behind after Ctrl-C', async () => {
  // A directory of its own for temporary files, which the user that Postgres runs as may enter.
  const temporary = mkdtempSync(path.join(tmpdir(), 'republish-dev-test-'));
  chmodSync(temporary, 0o755);
  const dev = spawn(process.execPath, [COMMAND_LINE, 'dev', '--operators', '2', '--machines', '2'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TMPDIR: temporary },
  });
  let stdout = '';
  let stderr = '';
  dev.stdout.on('data', (chunk) => (stdout += String(chunk)));
  dev.stderr.on('data', (chunk) => (stderr += String(chunk)));
  const ended = new Promise<number | null>((resolve) => dev.once('close', resolve));
  await Promise.race([
    until(
      () => stderr.includes(`running (pid ${dev.pid}); Ctrl-C or kill ${dev.pid} stops everything`),
      150_000,
    ),
    ended.then(() => Promise.reject(new Error(`republish dev ended: ${stderr}`))),
  ]);

  const env = Object.fromEntries(
    [...stdout.matchAll(/^export (\w+)='(.*)'$/gm)].map(([, name, value]) => [name, value]),
  );
  expect(Object.keys(env).sort()).toEqual(
    [
      'DATABASE_URL',
      'LNBITS_DATABASE_URL',
      'REPUBLISH_RELAYS',
      'REPUBLISH_SECRETS_KEY',
      'REPUBLISH_TASK_QUEUE',
      'TEMPORAL_ADDRESS',
    ].sort(),
  );
  const [, uri = '', paired = ''] =
    /# pair again .* echo '(.*)' \| (?:npx )?republish (.*)$/m.exec(stdout) ?? [];
  expect(await republish(paired.split(' '), env as Record<string, string>, uri)).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('the bunker signer of operator operator-1 signs as') as string,
  });
  const result = await republish(['start', 'operator-2', '--json'], env as Record<string, string>);
  expect(result.code).toBe(0);
  await until(() => (stderr.match(/operator-2-machine-0000\d .* reads/g) ?? []).length >= 4, 60_000);

  // A worker that is killed is followed by another, and the stack stays.
  const listed = execFileSync('ps', ['-A', '-o', 'pid=,args='], { encoding: 'utf8' });
  const worker = descendants(dev.pid ?? -1).find((pid) =>
    new RegExp(`^\\s*${pid} .* worker$`, 'm').test(listed),
  );
  if (worker === undefined) throw new Error(`no worker among the processes of ${dev.pid}:\n${listed}`);
  process.kill(worker, 'SIGKILL');
  await until(() => stderr.includes('the worker has died; another one is started'), 60_000);
  const again = await republish(['start', 'operator-1', '--json'], env as Record<string, string>);
  expect(again.code).toBe(0);

  const family = descendants(dev.pid ?? -1);
  expect(family.length).toBeGreaterThan(3);
  dev.kill('SIGINT');
  expect(await ended).toBe(0);
  await until(() => family.filter(isAlive).length === 0, 60_000);
  expect(readdirSync(temporary)).toEqual([]);
  rmSync(temporary, { recursive: true });
}, 300_000);

test('republish demo tells its story to the end and exits 0', async () => {
  const { code, stdout, stderr } = await republish(['demo']);
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
  expect(stderr).toContain('the bunker swallows a request to sign');
  expect(stderr).toContain('kill -9 of the worker');
  expect(stderr).toContain('one audit row, and it agrees');
  expect(stdout).toContain('"bitspire-fees"');
  // It would be dead at the end.
  expect(stderr).not.toContain('Temporal UI: http');
  expect(stderr.trimEnd().split('\n').at(-1)).toContain(
    "stopped again. To keep it and look around, also in Temporal's UI: republish demo --keep",
  );
}, 300_000);
