import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { getPublicKey } from 'nostr-tools/pure';
import { createDatabase } from '../../database/admin';
import { openDatabase } from '../../database/connection';
import { type DevRelay, startRelay } from '../../dev/relay';
import { seedOperator } from '../../dev/seed';
import { type CommandResult, nodePath, republish } from './command-line';
import { testServers } from './servers';
import { until } from './until';

const COMMAND_LINE = path.resolve(__dirname, '../../dist/client/cli/main.js');

/** An LNbits and a relay for commands that keep all else in a data folder. */
export interface Migration {
  /** A folder that does not exist yet, in one that only its owner may enter. */
  folder: string;
  relay: DevRelay;
  /** Where LNbits and the relay are. */
  env: Record<string, string>;
  /** Makes the folder as a first command would. */
  make(): Promise<void>;
  /** Runs a command on the folder. */
  run(args: string[], env?: Record<string, string>): Promise<CommandResult>;
  /** Starts a command on the folder and does not wait for it. */
  begin(args: string[], env?: Record<string, string>): Begun;
  /** Adds an operator with a local signer, whose key is in the folder. */
  addOperator(id: string, machines: number): Promise<void>;
  /** Ends what was begun and removes the folder. */
  stop(): Promise<void>;
}

export interface Begun {
  child: ChildProcess;
  /** What it has written so far, on both streams. */
  written(): string;
  /** Resolves when it has written this; rejects when it ends before. */
  says(text: string | RegExp): Promise<void>;
  /** Exit code; null when a signal ended it. */
  ended: Promise<number | null>;
}

/** Folders that a command made, to copy for tests of something else: to make a new one takes seconds. */
const made: { parent: string; folder: string }[] = [];
afterAll(() => made.splice(0).forEach(({ parent }) => rmSync(parent, { recursive: true })));

async function copyOfMade(folder: string): Promise<void> {
  if (made.length === 0) {
    const { parent, folder: first } = newFolder();
    made.push({ parent, folder: first });
    const { code, stderr } = await republish(['migrate', '--data', first]);
    if (code !== 0) throw new Error(stderr);
  }
  // `cp -a` keeps the owners of the files: Postgres of root runs as another user. Node's copy does not.
  execFileSync('cp', ['-a', made[0]?.folder ?? '', folder]);
}

function newFolder(): { parent: string; folder: string } {
  const parent = mkdtempSync(path.join(tmpdir(), 'republish-data-test-'));
  return { parent, folder: path.join(parent, 'migration') };
}

/** @param lnbitsDatabaseUrl default: an LNbits on Postgres, made for it */
export async function startMigration(lnbitsDatabaseUrl?: string): Promise<Migration> {
  const { parent, folder } = newFolder();
  const lnbitsUrl =
    lnbitsDatabaseUrl ??
    (await createDatabase(
      testServers().postgresUrl,
      `test_${randomUUID().replaceAll('-', '')}`,
      'template_lnbits',
    ));
  const relay = await startRelay();
  const env = { LNBITS_DATABASE_URL: lnbitsUrl, REPUBLISH_RELAYS: relay.url };
  const begun: Begun[] = [];
  const run: Migration['run'] = (args, more = {}) =>
    republish([...args, '--data', folder], { ...env, ...more });
  return {
    folder,
    relay,
    env,
    make: () => copyOfMade(folder),
    run,
    begin(args, more = {}) {
      const started = begin([...args, '--data', folder], { ...env, ...more });
      begun.push(started);
      return started;
    },
    async addOperator(id, machines) {
      const secretKey = randomBytes(32);
      const database = openDatabase({ url: lnbitsUrl, maxConnections: 1 });
      await seedOperator(database, { id, pubkey: getPublicKey(secretKey), machines });
      await database.close();
      const options = ['signer', 'add', id, '--local', '--data', folder];
      const added = await republish(options, env, secretKey.toString('hex'));
      if (added.code !== 0) throw new Error(added.stderr);
    },
    async stop() {
      for (const { child, ended } of begun) {
        if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
        await ended;
      }
      await until(() => serversOf(folder).length === 0);
      await relay.stop();
      rmSync(parent, { recursive: true });
    },
  };
}

function begin(args: string[], env: Record<string, string>): Begun {
  const child = spawn(process.execPath, [COMMAND_LINE, ...args], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...nodePath(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  child.stdout.on('data', (chunk) => (text += String(chunk)));
  child.stderr.on('data', (chunk) => (text += String(chunk)));
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  return {
    child,
    written: () => text,
    async says(expected) {
      const said = () => (typeof expected === 'string' ? text.includes(expected) : expected.test(text));
      await Promise.race([
        until(said, 60_000),
        ended.then(() => said() || Promise.reject(new Error(`${args.join(' ')} ended: ${text}`))),
      ]);
    },
    ended,
  };
}

/** The servers that the folder says were started on it last, as far as they run now: name and process id. */
export function serversOf(folder: string): { server: string; pid: number }[] {
  let recorded: { server: string; pid: number }[];
  try {
    recorded = JSON.parse(readFileSync(path.join(folder, 'servers.json'), 'utf8')) as typeof recorded;
  } catch {
    return [];
  }
  const listed = execFileSync('ps', ['-A', '-o', 'pid=,stat='], { encoding: 'utf8' });
  const alive = [...listed.matchAll(/^\s*(\d+)\s+[^Z]/gm)].map(([, pid]) => Number(pid));
  return recorded.filter(({ pid }) => alive.includes(pid));
}
