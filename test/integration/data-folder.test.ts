import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { nodePath, republish } from '../support/command-line';
import { type Migration, serversOf, startMigration } from '../support/data-folder';
import { startFaultProxy } from '../support/fault-proxy';
import { republishInTerminal } from '../support/pseudo-terminal';
import { until } from '../support/until';

// A test here is a dozen processes, some of them servers, one after the other.
jest.setTimeout(180_000);

let migration: Migration;
beforeEach(async () => {
  migration = await startMigration();
});
afterEach(() => migration.stop());

const modeOf = (file: string): string => (statSync(file).mode & 0o777).toString(8);

describe('a command that needs only Postgres', () => {
  test('makes the folder, for its owner alone, and leaves nothing running; one that looks makes none', async () => {
    const { folder, run } = migration;
    for (const args of [['signer', 'list'], ['audit', 'x'], ['status', 'x'], ['report', 'x'], ['worker']]) {
      const { code, stderr } = await run(args);
      expect({ args, code, stderr }).toMatchObject({
        code: 5,
        stderr: expect.stringMatching(
          `^error: DataFolderUnusable: ${folder} is no data folder: .*\nremedy: .* republish migrate --data ${folder}`,
        ) as string,
      });
    }
    // It says what else is missing, too.
    const doctor = await run(['doctor', '--json'], { REPUBLISH_RELAYS: '' });
    const findings = JSON.parse(doctor.stdout) as Record<'area' | 'status' | 'message', string>[];
    expect(findings.filter(({ status }) => status === 'fail')).toMatchObject([
      { area: 'data folder', message: expect.stringContaining('there is no such folder') as string },
      { area: 'configuration', message: expect.stringContaining('REPUBLISH_RELAYS') as string },
    ]);
    const start = await run(['start', 'x'], { REPUBLISH_RELAYS: '' });
    expect(start).toMatchObject({ code: 5, stderr: expect.stringContaining('REPUBLISH_RELAYS') as string });
    expect(existsSync(folder)).toBe(false);

    const made = await run(['migrate']);
    expect(made).toMatchObject({ code: 0, stderr: `made the data folder ${folder}\n` });
    const { code, stdout, stderr } = await run(['signer', 'list']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain(`no signers; add one with: republish signer add <operator> --data ${folder}`);
    expect(modeOf(folder)).toBe('700');
    expect(modeOf(path.join(folder, 'postgres'))).toBe('700');
    for (const file of ['secrets-key', 'postgres-password', 'servers.json'])
      expect({ file, mode: modeOf(path.join(folder, file)) }).toEqual({ file, mode: '600' });
    expect(readFileSync(path.join(folder, 'secrets-key'), 'utf8')).toMatch(/^[0-9a-f]{64}\n$/);
    expect(existsSync(path.join(folder, 'temporal.db'))).toBe(false);
    expect(serversOf(folder)).toEqual([]);
  });

  test('keeps the ledger and the key of the folder from one command to the next', async () => {
    await migration.make();
    const { folder, run, addOperator } = migration;
    await addOperator('operator-1', 1);
    const key = readFileSync(path.join(folder, 'secrets-key'), 'utf8');
    const checked = await run(['signer', 'check', 'operator-1', '--json']);
    expect(checked.code).toBe(0);
    expect(JSON.parse(checked.stdout)).toMatchObject({ kind: 'local', matchesAccount: true });
    // --data works before the command too.
    const migrated = await republish(['--data', folder, 'migrate', '--json'], migration.env);
    expect(JSON.parse(migrated.stdout)).toMatchObject({ applied: [] });
    expect(await run(['audit', 'operator-1'])).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('AuditNotFound: the ledger has no run of operator-1'),
    });
    const doctor = await run(['doctor', '--json']);
    const findings = JSON.parse(doctor.stdout) as Record<'area' | 'subject' | 'status', string>[];
    expect(findings.filter(({ status }) => status === 'fail')).toEqual([]);
    expect(findings.map(({ area }) => area)).not.toContain('temporal');
    // Not a variable that nobody has set.
    expect(findings.find(({ area }) => area === 'secrets key')?.subject).toBe(
      path.join(folder, 'secrets-key'),
    );
    expect(readFileSync(path.join(folder, 'secrets-key'), 'utf8')).toBe(key);
  });

  test('shares the servers with another that begins at the same moment', async () => {
    await migration.make();
    const { run, folder } = migration;
    const both = await Promise.all([
      run(['signer', 'list']),
      run(['signer', 'list']),
      run(['fleet', 'audit']),
    ]);
    expect(both.map(({ code, stderr }) => ({ code, stderr: code === 0 ? '' : stderr }))).toEqual(
      both.map(() => ({ code: 0, stderr: '' })),
    );
    await until(() => serversOf(folder).length === 0);
  });
});

describe('what is refused', () => {
  test('servers of somebody else beside the folder, with a sentence', async () => {
    const { folder, env } = migration;
    const refused = async (more: Record<string, string>, args: string[] = ['--data', folder]) => {
      const { code, stderr } = await republish(['signer', 'list', ...args], { ...env, ...more });
      expect(code).toBe(2);
      return stderr;
    };
    expect(await refused({ DATABASE_URL: 'postgres://elsewhere/ledger' })).toMatch(
      /--data and DATABASE_URL are both given\. .*Unset DATABASE_URL, or leave --data out\. .*LNBITS_DATABASE_URL/,
    );
    expect(await refused({ TEMPORAL_ADDRESS: 'temporal:7233', REPUBLISH_DATA: folder }, [])).toMatch(
      /REPUBLISH_DATA and TEMPORAL_ADDRESS are both given/,
    );
    expect(await refused({ DATABASE_URL: 'postgres://x/y', LNBITS_DATABASE_URL: '' })).toContain(
      'DATABASE_URL',
    );
    expect(await refused({}, ['--data', ''])).toContain('--data is empty: name a folder');
    const dev = await republish(['dev', '--data', folder], env);
    expect({ code: dev.code, said: dev.stderr }).toMatchObject({ code: 2 });
    expect(existsSync(folder)).toBe(false);
  });

  test('but not a DATABASE_URL that is LNbits’ own, nor a folder of another place in the file', async () => {
    await migration.make();
    const { run, env, folder } = migration;
    const own = await run(['signer', 'list'], { DATABASE_URL: env.LNBITS_DATABASE_URL ?? '' });
    expect(own.code).toBe(0);
    const file = path.join(path.dirname(folder), 'republish.config.json');
    writeFileSync(file, JSON.stringify({ data: 'migration' }));
    const listed = await republish(['signer', 'list'], { ...env, REPUBLISH_CONFIG: file });
    expect(listed).toMatchObject({ code: 0 });
    expect(readdirSync(path.dirname(folder)).sort()).toEqual(['migration', 'republish.config.json']);
  });

  test('a folder that holds other files, which stays as it is', async () => {
    const { folder, run } = migration;
    mkdirSync(folder, { mode: 0o755 });
    writeFileSync(path.join(folder, 'database.sqlite3'), 'of LNbits');
    const { code, stderr } = await run(['signer', 'list']);
    expect(code).toBe(5);
    expect(stderr).toContain('is no data folder of republish and holds other files (database.sqlite3)');
    expect(readdirSync(folder)).toEqual(['database.sqlite3']);
    expect(modeOf(folder)).toBe('755');
  });

  test('a folder that cannot be made, at once and with the reason', async () => {
    const { folder } = migration;
    writeFileSync(folder, 'a file');
    const places = {
      '/proc/foo/bar': 'no folder can be made in /proc',
      [path.join(folder, 'x')]: 'is no folder',
    };
    for (const [place, reason] of Object.entries(places)) {
      const { code, stderr } = await republish(['migrate', '--data', place], migration.env);
      expect({ code, stderr }).toEqual({ code: 5, stderr: expect.stringContaining(reason) as string });
      expect(stderr).toContain('name one that this user may write to');
    }
  });

  test('a folder of a newer release', async () => {
    const { folder, run } = migration;
    mkdirSync(folder, { mode: 0o700 });
    writeFileSync(path.join(folder, 'republish-data.json'), '{"format":2}');
    const { code, stderr } = await run(['signer', 'list']);
    expect({ code, stderr }).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('has format 2') as string,
    });
  });

  test('a run that nobody would do, and a command without what it needs', async () => {
    const { run, folder } = migration;
    const noWait = { code: 2, stderr: expect.stringContaining('republish up') as string };
    expect(await run(['start', 'operator-1', '--no-wait'])).toMatchObject(noWait);
    expect(existsSync(folder)).toBe(false);
    await migration.make();
    expect(await run(['start', 'operator-1', '--no-wait'])).toMatchObject(noWait);
    const plan = await run(['plan', 'operator-1'], { LNBITS_DATABASE_URL: '' });
    expect(plan).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('LNBITS_DATABASE_URL is not set') as string,
    });
  });
});

describe('start', () => {
  test('in a terminal says that Ctrl-C lets the run rest, and a line from beside does not tear the view', async () => {
    await migration.make();
    const { addOperator, folder, env, relay } = migration;
    await addOperator('operator-1', 40);
    // A relay that answers late: with a key that is here the run would be over before anybody has looked.
    const slow = await startFaultProxy(relay.url, ({ type }) =>
      type === 'REQ' ? { delayMs: 4_000 } : undefined,
    );
    const terminal = republishInTerminal(['start', 'operator-1', '--data', folder], {
      env: { ...env, ...nodePath(), REPUBLISH_RELAYS: slow.url, REPUBLISH_RELAY_TIMEOUT_MS: '60000' },
      columns: 120,
      // The line must still be there when it is looked for: the view alone is as high as a usual terminal.
      rows: 45,
    });
    try {
      // All at once: a frame may come in parts.
      const hint = 'Ctrl-C stops: documents in work are finished, and the run rests.';
      await until(
        () => {
          const screen = terminal.screen();
          return /█.* of 80/.test(screen) && screen.includes(hint);
        },
        90_000,
        terminal.screen,
      );
      const listed = execFileSync('ps', ['-A', '-o', 'pid=,args='], { encoding: 'utf8' });
      const worker = new RegExp(`^\\s*(\\d+) \\S*node\\S* .*main.js worker --data ${folder}$`, 'm').exec(
        listed,
      );
      process.kill(Number(worker?.[1] ?? NaN), 'SIGKILL');
      const times = (what: RegExp): number => terminal.screen().match(what)?.length ?? 0;
      await until(
        () =>
          /another one is started\n[^]*Ctrl-C stops/.test(terminal.screen()) &&
          times(/Ctrl-C stops/g) === 1 &&
          times(/ of 80/g) === 1,
        60_000,
      );
      terminal.type('\u0003');
      expect(await terminal.ended).toBe(130);
      expect(terminal.screen()).toMatch(/the run rests\. Go on with:\s+republish start operator-1/);
      expect(terminal.screen()).not.toMatch(/"level"/);
    } finally {
      await terminal.stop();
      await slow.stop();
    }
  }, 300_000);

  test('is the whole job, and a second one does only what is missing', async () => {
    await migration.make();
    const { run, addOperator, relay, folder } = migration;
    await addOperator('operator-1', 2);
    const first = await run(['start', 'operator-1', '--json']);
    expect({ code: first.code, stderr: first.code === 0 ? '' : first.stderr }).toEqual({
      code: 0,
      stderr: '',
    });
    expect(relay.events()).toHaveLength(4);
    expect(modeOf(path.join(folder, 'temporal.db'))).toBe('600');
    expect(serversOf(folder)).toEqual([]);
    const second = await run(['start', 'operator-1', '--json']);
    expect(JSON.parse(second.stdout)).toEqual(JSON.parse(first.stdout));
    expect(second.stderr).toContain('0 published, 4 unchanged');
    expect((await run(['verify', 'operator-1'])).code).toBe(0);
  });
  // Killed in the middle and called again: sqlite-migration.test.ts.
});
