import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { Client } from 'pg';
import { generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import { createDatabase, dropDatabase } from '../../database/admin';
import { type DevBunker, startBunker } from '../../dev/bunker';
import { startMachine } from '../../dev/machine';
import { type ProcessGroup } from '../../embedded/process-group';
import { type DevRelay, startRelay } from '../../dev/relay';
import { startWorkerProcess } from '../../embedded/worker-process';
import { republish } from '../support/command-line';
import { testServers } from '../support/servers';
import { openToWrite } from '../support/sqlite';
import { CASSETTES, extensionTables, FEES, machinesOf } from './extension-tables';
import { type LnbitsServer, startLnbits } from './lnbits-server';

const TYPES = ['bitspire-cassettes', 'bitspire-fees'];

/** Once for each database that LNbits can be on. The ledger is in a Postgres of its own each time. */
describe.each(['SQLite', 'Postgres'] as const)('beside a running LNbits on %s', (kind) => {
  const name = `lnbits_${kind.toLowerCase()}_${process.pid}`;
  let lnbits: LnbitsServer;
  let lnbitsUrl: string;
  let relay: DevRelay;
  let bunker: DevBunker;
  let worker: ProcessGroup | undefined;
  let env: Record<string, string>;

  beforeAll(async () => {
    const { postgresUrl, temporalAddress } = testServers();
    const ledgerUrl = await createDatabase(postgresUrl, `${name}_ledger`);
    const databaseUrl = kind === 'SQLite' ? undefined : await createDatabase(postgresUrl, name);
    [lnbits, relay] = await Promise.all([startLnbits(databaseUrl), startRelay()]);
    lnbitsUrl = databaseUrl ?? `sqlite://${lnbits.folder}`;
    bunker = await startBunker({ relays: [relay.url] });
    env = {
      LNBITS_DATABASE_URL: lnbitsUrl,
      DATABASE_URL: ledgerUrl,
      TEMPORAL_ADDRESS: temporalAddress,
      REPUBLISH_TASK_QUEUE: name,
      REPUBLISH_RELAYS: relay.url,
      REPUBLISH_SECRETS_KEY: randomBytes(32).toString('hex'),
      REPUBLISH_ALLOW_PRIVATE_BUNKER_RELAYS: 'true',
    };
  }, 240_000);
  afterAll(async () => {
    await worker?.stop('SIGTERM', 35_000);
    await bunker?.stop();
    await relay?.stop();
    await lnbits?.stop();
    await dropDatabase(testServers().postgresUrl, `${name}_ledger`);
    if (kind === 'Postgres') await dropDatabase(testServers().postgresUrl, name);
  });

  /** Past LNbits, as its extension writes: while it runs. */
  async function write(sql: string): Promise<void> {
    if (kind === 'SQLite') {
      const database = await openToWrite(path.join(lnbits.folder, 'database.sqlite3'));
      database.exec('PRAGMA busy_timeout = 10000');
      database.exec(`ATTACH '${path.join(lnbits.folder, 'ext_spirekeeper.sqlite3')}' AS spirekeeper`);
      database.exec(sql);
      database.close();
      return;
    }
    const client = new Client({ connectionString: lnbitsUrl });
    await client.connect();
    await client.query(`CREATE SCHEMA IF NOT EXISTS spirekeeper; ${sql}`);
    await client.end();
  }

  async function succeeds(args: string[], input = ''): Promise<string> {
    const { code, stdout, stderr } = await republish(args, env, input);
    if (code !== 0) throw new Error(`republish ${args.join(' ')} exited with ${code}: ${stderr}\n${stdout}`);
    return stdout;
  }

  /** What operators do in LNbits meanwhile; each request writes. */
  async function busyUntil(ended: () => boolean): Promise<number> {
    let made = 0;
    for (; !ended(); made += 1) {
      await lnbits.createAccount(`guest${made}`, getPublicKey(generateSecretKey()));
    }
    return made;
  }

  test('an operator whose key moved to a bunker is migrated, and the machines read it', async () => {
    const operator = await lnbits.createAccount('operator', getPublicKey(generateSecretKey()));
    await lnbits.changePubkey(operator, 'operator', bunker.userPubkey);
    const { paired, silent, sql } = machinesOf(operator);
    await write(await extensionTables());
    await write(sql);

    await succeeds(['migrate']);
    await succeeds(['signer', 'add', operator, '--bunker'], `${bunker.uri()}\n`);
    worker = await startWorkerProcess({ ...env, NODE_PATH: process.env.NODE_PATH ?? '' });

    const plan = JSON.parse(await succeeds(['plan', operator, '--show', '--json'])) as unknown;
    for (const word of ['"preset":"spirekeeper"', 'not paired yet', 'has not reported yet']) {
      expect(JSON.stringify(plan)).toContain(word);
    }
    let ended = false;
    const [made] = await Promise.all([
      busyUntil(() => ended),
      succeeds(['start', operator, '--json']).finally(() => (ended = true)),
    ]);
    expect(made).toBeGreaterThan(0);
    await succeeds(['verify', operator]);

    const expected = new Map<string, unknown>([
      ['bitspire-cassettes', CASSETTES],
      ['bitspire-fees', FEES],
    ]);
    for (const machine of [...paired, silent]) {
      const types = machine === silent ? ['bitspire-fees'] : TYPES;
      const reading = await startMachine({
        relays: [relay.url],
        secretKey: machine.secretKey,
        name: machine.name,
        operatorPubkey: bunker.userPubkey,
        documentTypes: TYPES,
      });
      try {
        await reading.waitFor(types, 10_000);
        const states = [...reading.documents().values()].map(({ documentType, state }) => [
          documentType,
          state,
        ]);
        expect(new Map(states as [string, unknown][])).toEqual(
          new Map(types.map((type) => [type, expected.get(type)])),
        );
      } finally {
        await reading.stop();
      }
      // The machines' filter may ask by p too.
      const tags = relay.events().flatMap((event) => (event.kind === 30078 ? [event.tags] : []));
      for (const type of types) {
        expect(tags).toContainEqual([
          ['d', `${type}:${machine.atmPubkey}`],
          ['p', machine.atmPubkey],
        ]);
      }
    }
    // A second run has nothing to do.
    const events = relay.events().filter(({ kind: eventKind }) => eventKind === 30078).length;
    expect(events).toBe(5);
    await succeeds(['start', operator, '--json']);
    expect(relay.events().filter(({ kind: eventKind }) => eventKind === 30078)).toHaveLength(events);
  }, 300_000);
});
