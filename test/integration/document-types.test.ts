import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { nip44 } from 'nostr-tools';
import { documentTypes } from '../../documents/registry';
import { bitspireOperatorHours } from '../support/bitspire-operator-hours';
import { startPatientSaga } from '../support/fleet';
import type { Saga } from '../support/saga';

describe('document types', () => {
  let saga: Saga;

  beforeAll(async () => {
    saga = await startPatientSaga();
  });
  afterAll(() => saga.stop());

  test('a third type is one file and one line, and is published', async () => {
    await saga.database.query(
      'CREATE TABLE spirekeeper.bitspire_operator_hours (machine_id text PRIMARY KEY, timezone text, opens text, closes text, note text)',
    );
    await saga.startWorker({ documentTypes: [...documentTypes, bitspireOperatorHours] });
    const { id, machines, bunker } = await saga.addOperator({ machines: 1 });
    const [machine] = machines;
    if (machine === undefined) throw new Error('no machine');
    await saga.database.query(
      "INSERT INTO spirekeeper.bitspire_operator_hours VALUES ($1, 'Europe/Vienna', '08:00', '20:00', 'kept')",
      [machine.id],
    );

    const events = await (await saga.start(id)).result();

    expect(Object.keys(events)).toEqual(['bitspire-cassettes', 'bitspire-fees', 'bitspire-operator-hours']);
    const event = saga.relays[0]
      ?.events()
      .find((stored) => stored.id === events['bitspire-operator-hours']?.[0]);
    expect(event?.tags).toEqual([
      ['d', `bitspire-operator-hours:${machine.atmPubkey}`],
      ['p', machine.atmPubkey],
    ]);
    const key = nip44.getConversationKey(machine.secretKey, bunker.userPubkey);
    expect(JSON.parse(nip44.decrypt(event?.content ?? '', key))).toEqual({
      timezone: 'Europe/Vienna',
      opens: '08:00',
      closes: '20:00',
      note: 'kept',
    });
  });
});

const FEES = {
  schema_version: 1,
  cash_in_fee_fraction: 0.05,
  cash_out_fee_fraction: 0.06,
  extra: { kept: true },
};

describe('another schema', () => {
  let saga: Saga;

  beforeAll(async () => {
    saga = await startPatientSaga();
  });
  afterAll(() => saga.stop());

  test('every query can be replaced: schema, table and SQL, with ids that are no text', async () => {
    await saga.database.query(`
      CREATE SCHEMA satmachine;
      CREATE TABLE satmachine.users (user_id text PRIMARY KEY, nostr_key text);
      CREATE TABLE satmachine.atms (id bigint PRIMARY KEY, owner text, label text, npub text);
      CREATE TABLE satmachine.fee_documents (atm bigint, doc jsonb);
      CREATE TABLE satmachine.cassette_configs (machine_id bigint, position int, denomination int, count int);
    `);
    const { id, machines, bunker } = await saga.addOperator({ machines: 2 });
    await saga.database.query('INSERT INTO satmachine.users SELECT id, pubkey FROM accounts');
    await saga.database.query(
      'INSERT INTO satmachine.atms SELECT row_number() OVER (ORDER BY id), operator_user_id, name, machine_npub FROM spirekeeper.dca_machines',
    );
    await saga.database.query('INSERT INTO satmachine.fee_documents VALUES (1, $1)', [JSON.stringify(FEES)]);
    await saga.database.query('INSERT INTO satmachine.cassette_configs VALUES (2, 1, 20, 7)');
    await saga.database.query('DROP SCHEMA spirekeeper CASCADE');

    const directory = mkdtempSync(path.join(tmpdir(), 'republish-config-'));
    saga.onStop(() => rmSync(directory, { recursive: true }));
    const file = path.join(directory, 'republish.config.json');
    const queries = {
      schema: 'satmachine',
      account: { sql: 'SELECT user_id AS id, nostr_key AS pubkey FROM satmachine.users WHERE user_id = $1;' },
      machines: {
        sql: 'SELECT id, label AS name, npub AS machine_npub FROM satmachine.atms WHERE owner = $1',
      },
      documents: {
        'bitspire-fees': { sql: 'SELECT doc AS state FROM satmachine.fee_documents WHERE atm::text = $1' },
      },
    };
    writeFileSync(file, JSON.stringify({ queries }));
    await saga.startWorker({ env: { REPUBLISH_CONFIG: file } });

    const run = await saga.start(id);
    const events = await run.result();

    expect(events['bitspire-cassettes']).toHaveLength(1);
    expect(events['bitspire-fees']).toHaveLength(1);
    expect(await run.progress()).toMatchObject({ published: 2, skipped: 2 });
    const event = saga.relays[0]?.events().find((stored) => stored.id === events['bitspire-fees']?.[0]);
    const machine = machines.find(({ atmPubkey }) => event?.tags[0]?.[1]?.endsWith(atmPubkey));
    if (machine === undefined) throw new Error('the event is for no machine');
    const key = nip44.getConversationKey(machine.secretKey, bunker.userPubkey);
    expect(JSON.parse(nip44.decrypt(event?.content ?? '', key))).toEqual(FEES);
  });
});
