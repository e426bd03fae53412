import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { republish } from '../support/command-line';
import { type Begun, type Migration, serversOf, startMigration } from '../support/data-folder';
import { until } from '../support/until';

let migration: Migration;
beforeEach(async () => {
  migration = await startMigration();
  await migration.make();
});
afterEach(() => migration.stop());

async function startUp(): Promise<Begun> {
  const up = migration.begin(['up']);
  await up.says(`running (pid ${up.child.pid}); Ctrl-C or kill ${up.child.pid} stops everything`);
  return up;
}

/** The worker of an `up`. */
function workerOf({ child }: Begun): number | undefined {
  const listed = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' });
  const found = new RegExp(`^\\s*(\\d+)\\s+${child.pid} .* worker --data `, 'm').exec(listed);
  return found === null ? undefined : Number(found[1]);
}

/** Kills one process. A signal to -1 would go to every process of this user. */
function kill9(pid: number | undefined): void {
  if (pid === undefined) throw new Error('there is no such process');
  process.kill(pid, 'SIGKILL');
}

test('keeps the servers for every command, follows a worker that is killed by another, says so where a second one begins or a shell says something else than its own, and ends with a server of it', async () => {
  const { addOperator, folder, env, relay, run } = migration;
  await addOperator('operator-1', 2);
  const up = await startUp();
  expect(up.written()).toContain(`export REPUBLISH_DATA=${folder}`);
  expect(up.written()).not.toMatch(/postgres:\/\/|LNBITS|[0-9a-f]{64}/);
  const [ui = ''] = /http:\/\/127\.0\.0\.1:\d+/.exec(up.written()) ?? [];
  // The UI may be there a moment later than the server.
  await until(() =>
    fetch(ui).then(
      ({ status }) => status === 200,
      () => false,
    ),
  );
  const servers = serversOf(folder);
  expect(servers.map(({ server }) => server).sort()).toEqual(['postgres', 'temporal']);

  // REPUBLISH_DATA alone is enough where nothing of LNbits is read here.
  const started = await republish(['start', 'operator-1', '--json', '--no-wait'], { REPUBLISH_DATA: folder });
  expect({ code: started.code, stderr: started.code === 0 ? '' : started.stderr }).toEqual({
    code: 0,
    stderr: '',
  });
  expect(await republish(['watch', 'operator-1'], { REPUBLISH_DATA: folder })).toMatchObject({ code: 0 });
  expect(relay.events()).toHaveLength(4);

  const worker = workerOf(up);
  kill9(worker);
  await up.says('the worker has died; another one is started');
  await until(() => workerOf(up) !== undefined && workerOf(up) !== worker);
  expect(
    await republish(['start', 'operator-1', '--json'], { ...env, REPUBLISH_DATA: folder }),
  ).toMatchObject({
    code: 0,
  });
  // Nobody has started others meanwhile.
  expect(serversOf(folder)).toEqual(servers);

  const second = await run(['up']);
  expect(second.code).toBe(5);
  expect(second.stderr).toContain(
    `republish up runs on ${folder} already (pid ${up.child.pid})\nremedy: Use that one from any shell with REPUBLISH_DATA, or end it with: kill ${up.child.pid}.\n`,
  );

  const said = async (more: Record<string, string>) => (await run(['signer', 'list'], more)).stderr;
  const elsewhere = 'wss://elsewhere.example.com';
  const warning = await said({ REPUBLISH_RELAYS: elsewhere, LNBITS_DATABASE_URL: 'sqlite:///elsewhere' });
  expect(warning).toMatch(
    /^warning: the settings of this shell differ from those of the worker of republish up: another LNbits, other relays\. .*\n$/,
  );
  expect(warning).not.toContain('elsewhere');
  expect(await said({ REPUBLISH_SIGNERS: 'lnbits' })).toContain('up: other signers. Runs use');
  expect(await said({ REPUBLISH_RELAYS: `${env.REPUBLISH_RELAYS}/` })).toBe('');
  const nothing = await republish(['signer', 'list'], { REPUBLISH_DATA: folder });
  expect(nothing).toMatchObject({ code: 0, stderr: '' });

  const postgres = serversOf(folder).find(({ server }) => server === 'postgres');
  kill9(postgres?.pid);
  expect(await up.ended).toBe(5);
  expect(up.written()).toContain(`Postgres of ${folder} has ended unexpectedly`);
  expect(up.written()).toContain('the next command on this folder continues what has begun');
  await until(() => serversOf(folder).length === 0);
  expect((await run(['signer', 'list'])).code).toBe(0);
}, 300_000);

test('Ctrl-C ends all, and a run in the middle goes on when it is started again; killed, it leaves a folder that the next command takes up', async () => {
  const { addOperator, folder, relay, run } = migration;
  await addOperator('operator-1', 40);
  const up = await startUp();
  const started = await republish(['start', 'operator-1', '--no-wait', '--json'], { REPUBLISH_DATA: folder });
  const { runId } = JSON.parse(started.stdout) as { runId: string };
  await until(() => relay.events().length > 0, 30_000);
  up.child.kill('SIGINT');
  expect(await up.ended).toBe(0);
  expect(serversOf(folder)).toEqual([]);
  expect(workerOf(up)).toBeUndefined();
  const before = relay.events().map(({ id }) => id);

  const again = await startUp();
  const watched = await republish(['watch', 'operator-1'], { REPUBLISH_DATA: folder });
  expect({ code: watched.code, stderr: watched.code === 0 ? '' : watched.stderr }).toEqual({
    code: 0,
    stderr: '',
  });
  let status: { progress: unknown } | undefined;
  // A worker that is slow to answer is not waited for: then there is no progress.
  await until(async () => {
    const { stdout } = await republish(['status', 'operator-1', '--json'], { REPUBLISH_DATA: folder });
    status = JSON.parse(stdout) as { progress: unknown };
    return status.progress !== null;
  });
  expect(status).toMatchObject({ runId, status: 'COMPLETED', progress: { published: 80 } });
  const after = relay.events().map(({ id }) => id);
  expect(before.filter((id) => !after.includes(id))).toEqual([]);

  const servers = serversOf(folder);
  again.child.kill('SIGKILL');
  await again.ended;
  const listed = await run(['signer', 'list', '--json']);
  expect({ code: listed.code, stderr: listed.code === 0 ? '' : listed.stderr }).toEqual({
    code: 0,
    stderr: '',
  });
  expect(JSON.parse(listed.stdout)).toMatchObject([{ operatorUserId: 'operator-1' }]);
  expect(serversOf(folder)).toEqual([]);
  expect(servers.map(({ pid }) => pid).filter(isAlive)).toEqual([]);
}, 300_000);

test('killed together with the guards of its servers, they are ended by the next command', async () => {
  const { folder, run } = migration;
  const up = await startUp();
  const servers = serversOf(folder);
  const listed = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' });
  const guards = [...listed.matchAll(new RegExp(`^\\s*(\\d+)\\s+${up.child.pid} /bin/sh -c read`, 'gm'))];
  expect(guards).toHaveLength(3);
  for (const [, pid] of guards) process.kill(Number(pid), 'SIGKILL');
  const worker = workerOf(up);
  up.child.kill('SIGKILL');
  kill9(worker);
  await up.ended;
  expect(servers.map(({ pid }) => pid).filter(isAlive)).toHaveLength(2);
  const next = await run(['signer', 'list']);
  expect({ code: next.code, stderr: next.code === 0 ? '' : next.stderr }).toEqual({ code: 0, stderr: '' });
  expect(next.stderr).toContain('which nobody owns any more');
  expect(servers.map(({ pid }) => pid).filter(isAlive)).toEqual([]);
  // What the guards would have removed.
  for (const [directory] of listed.matchAll(/\/tmp\/republish-postgres-\w+(?= *$)/gm))
    if (path.dirname(directory) === '/tmp' && guards.some(([line]) => line.includes(directory)))
      rmSync(directory, { recursive: true, force: true });
}, 300_000);

test('needs a folder, and what a worker needs', async () => {
  expect(await republish(['up'], migration.env)).toMatchObject({ code: 2 });
  const lacking = await migration.run(['up'], { REPUBLISH_RELAYS: '' });
  expect(lacking).toMatchObject({
    code: 5,
    stderr: expect.stringContaining('REPUBLISH_RELAYS is not set') as string,
  });
});

function isAlive(pid: number): boolean {
  const listed = execFileSync('ps', ['-A', '-o', 'pid=,stat='], { encoding: 'utf8' });
  return new RegExp(`^\\s*${pid}\\s+[^Z]`, 'm').test(listed);
}
