import { readdirSync, writeFileSync } from 'node:fs';
import { nip44 } from 'nostr-tools';
import { npubEncode } from 'nostr-tools/nip19';
import { generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import { type DevBunker, startBunker } from '../../dev/bunker';
import { RelayConnection } from '../../nostr/relays/connection';
import { readStored } from '../../nostr/relays/read';
import { type Migration, startMigration } from '../support/data-folder';
import { type LnbitsFolder, makeLnbitsFolder } from '../support/sqlite';
import { until } from '../support/until';

interface Atm {
  id: string;
  secretKey: Uint8Array;
  pubkey: string;
}

const OPERATOR = '8f3c2b';
const ATMS = 20;

let lnbits: LnbitsFolder;
let migration: Migration;
let bunker: DevBunker;
let atms: Atm[];

/** A whole migration as a user does it: an LNbits on SQLite, a relay, a bunker, and nothing else. */
beforeAll(async () => {
  lnbits = await makeLnbitsFolder();
  migration = await startMigration(`sqlite://${lnbits.folder}`);
  bunker = await startBunker({ relays: [migration.relay.url] });
  atms = Array.from({ length: ATMS }, (_, index) => {
    const secretKey = generateSecretKey();
    return { id: `m${String(index).padStart(2, '0')}`, secretKey, pubkey: getPublicKey(secretKey) };
  });
  await lnbits.write(
    [
      `INSERT INTO accounts (id, pubkey) VALUES ('${OPERATOR}', '${bunker.userPubkey.toUpperCase()}');`,
      ...atms.map(({ id, pubkey }, index) => {
        // As keys are found in the field: hex, an npub, capitals; and a machine that is switched off.
        const written = index === 1 ? npubEncode(pubkey) : index === 2 ? pubkey.toUpperCase() : pubkey;
        return (
          `INSERT INTO spirekeeper.dca_machines (id, operator_user_id, wallet_id, machine_npub, name, is_active, ` +
          `operator_cash_in_fee_fraction, operator_cash_out_fee_fraction) ` +
          `VALUES ('${id}', '${OPERATOR}', 'w-${id}', '${written}', 'ATM ${id}', ${index === 3 ? 0 : 1}, 0.0333, 0.0777);` +
          `INSERT INTO spirekeeper.cassette_configs (machine_id, position, denomination, count, state_at, updated_at) ` +
          `VALUES ('${id}', 10, 50, 3, '2026-05-01 08:00:00', '2026-11-20 12:30:00'), ('${id}', 2, 20, 100, NULL, '2026-11-19 07:00:00');`
        );
      }),
      `INSERT INTO spirekeeper.dca_machines (id, operator_user_id, wallet_id, name) VALUES ('unpaired', '${OPERATOR}', 'w-u', 'New');`,
      `INSERT INTO spirekeeper.dca_machines (id, operator_user_id, wallet_id, machine_npub, name) VALUES ('silent', '${OPERATOR}', 'w-s', '${getPublicKey(generateSecretKey())}', 'Silent');`,
    ].join('\n'),
  );
}, 300_000);

afterAll(async () => {
  await bunker.stop();
  await migration.stop();
  await lnbits.remove();
});

const CASSETTES = '{"positions":{"2":{"denomination":20,"count":100},"10":{"denomination":50,"count":3}}}';
const FEES =
  '{"schema_version":1,"cash_in_fee_fraction":0.0633,"cash_out_fee_fraction":0.1077,"components":' +
  '{"super_cash_in":0.03,"super_cash_out":0.03,"operator_cash_in":0.0333,"operator_cash_out":0.0777}}';

test('a migration of an LNbits on SQLite needs nothing but Node, and survives kill -9', async () => {
  const { run, begin, relay } = migration;
  const added = await run(['signer', 'add', OPERATOR, '--bunker', '--uri-file', uriFile()]);
  expect(added).toMatchObject({ code: 0 });

  const planned = await run(['plan', OPERATOR, '--show', '--json']);
  expect({ code: planned.code, stderr: planned.stderr }).toEqual({ code: 0, stderr: '' });
  const plan = JSON.parse(planned.stdout) as {
    source: unknown;
    counts: unknown;
    documents: Record<string, unknown>[];
  };
  expect(plan.source).toMatchObject({ kind: 'sqlite', where: lnbits.folder, preset: 'spirekeeper' });
  // The silent machine has fees, as every paired one.
  expect(plan.counts).toEqual({ publish: 2 * ATMS + 1, unchanged: 0, skipped: 3, invalid: 0 });
  const of = (machineId: string, documentType: string) =>
    plan.documents.find((each) => each.machineId === machineId && each.documentType === documentType);
  const npub = atms[1]?.pubkey ?? '';
  expect(of('m01', 'bitspire-cassettes')).toMatchObject({
    d: `bitspire-cassettes:${npub}`,
    tags: [
      ['d', `bitspire-cassettes:${npub}`],
      ['p', npub],
    ],
    json: CASSETTES,
    warningOfMachine: expect.stringContaining('2026-11-20 12:30:00') as string,
  });
  expect(of('m01', 'bitspire-fees')).toMatchObject({ json: FEES });
  expect(of('unpaired', 'bitspire-fees')).toMatchObject({ action: 'skipped', because: 'not paired yet' });
  expect(of('silent', 'bitspire-cassettes')).toMatchObject({
    action: 'skipped',
    because: 'has not reported yet',
  });
  const text = await run(['plan', OPERATOR, '--show']);
  expect(text.stdout).toContain(FEES);
  // What all machines share stands once, and each machine has a line with its dates.
  expect(text.stdout.match(/^warning: bitspire-cassettes: Publishing sets/gm)).toHaveLength(1);
  expect(text.stdout).toMatch(/^ {2}ATM m01 \(m01\): Last edited 2026-11-20 12:30:00 UTC; the machine .+$/m);
  // Without --show no state of a machine is on any screen.
  expect((await run(['plan', OPERATOR, '--json'])).stdout).not.toContain('0.0633');

  const first = begin(['start', OPERATOR, '--json']);
  await until(() => documents().length > 3, 90_000);
  first.child.kill('SIGKILL');
  expect(await first.ended).toBe(null);
  const [, runId] = /\(run ([0-9a-f-]{36})\)/.exec(first.written()) ?? [];
  const before = documents().map(({ id }) => id);

  const again = await run(['start', OPERATOR, '--json']);
  expect({ code: again.code, stderr: again.code === 0 ? '' : again.stderr }).toEqual({ code: 0, stderr: '' });
  // The same run, and the only one.
  expect(again.stderr).toContain(runId);
  expect(JSON.parse((await run(['audit', OPERATOR, '--json'])).stdout)).toHaveLength(1);
  const events = Object.values(JSON.parse(again.stdout) as Record<string, string[]>).flat();
  expect(events).toHaveLength(2 * ATMS + 1);
  expect(before.filter((id) => !events.includes(id))).toEqual([]);
  expect(new Set(documents().map(({ id }) => id))).toEqual(new Set(events));
  expect((await run(['verify', OPERATOR])).code).toBe(0);

  for (const { secretKey, pubkey } of atms) {
    const key = nip44.getConversationKey(secretKey, bunker.userPubkey);
    const found = await askRelay({ authors: [bunker.userPubkey], kinds: [30078], '#p': [pubkey] });
    const decrypted = found.map(({ content }) => nip44.decrypt(content, key)).sort();
    expect(decrypted).toEqual([CASSETTES, FEES].sort());
  }
  // Read only: nothing is left beside LNbits' files.
  expect(readdirSync(lnbits.folder).sort()).toEqual([
    'bunker-uri.txt',
    'database.sqlite3',
    'ext_spirekeeper.sqlite3',
  ]);

  function documents() {
    return relay.events().filter(({ kind }) => kind === 30078);
  }
}, 300_000);

function uriFile(): string {
  const file = lnbits.path('bunker-uri.txt');
  writeFileSync(file, bunker.uri());
  return file;
}

async function askRelay(filter: { authors: string[]; kinds: number[]; '#p': string[] }) {
  const connection = await RelayConnection.open({ url: migration.relay.url, connectTimeoutMs: 20_000 });
  try {
    const reply = await readStored(connection, [filter], { timeoutMs: 20_000 });
    if (reply.kind !== 'eose') throw new Error(`no answer: ${reply.kind}`);
    return reply.events;
  } finally {
    connection.close();
  }
}
