import { copyFile, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import fc from 'fast-check';
import { RepublishError } from '../../contract/failures';
import type { SourceQueries } from '../../sources/queries';
import type { Source, StateRows } from '../../sources/source';
import { openSqliteSource, type SqliteSourceOptions } from '../../sources/sqlite';
import { type LnbitsFolder, makeLnbitsFolder, openToWrite } from '../support/sqlite';

const MAX_BYTES = 1_000;
const HEX = 'a'.repeat(64);
const NPUB = 'npub1qqqsyqcyq5rqwzqfpg9scrgwpugpzysnzs23v9ccrydpk8qarc0sj9hjuh';

const QUERIES: SourceQueries = {
  documents: {
    ordered: {
      sql: 'SELECT position, count FROM {cassette_configs} WHERE machine_id = $1 ORDER BY position DESC;',
    },
  },
  documentTypes: [
    { type: 'cassettes', source: { table: 'cassette_configs' } },
    {
      type: 'fees',
      source: {
        sql: `SELECT m.id AS machine_id, s.super_cash_in_fee_fraction AS super_in, m.operator_cash_in_fee_fraction AS operator_in
                FROM {dca_machines} AS m LEFT JOIN {super_config} AS s ON true`,
      },
    },
  ],
};

let lnbits: LnbitsFolder;
const opened: Source[] = [];

function open(options: Partial<SqliteSourceOptions> = {}): Source {
  const source = openSqliteSource({ folder: lnbits.folder, preset: 'auto', queries: QUERIES, ...options });
  opened.push(source);
  return source;
}

async function rowsOf(source: Source, type: string, id: string): Promise<unknown[]> {
  const rows = (await source.states(type, [id], MAX_BYTES)).get(id);
  if (rows === undefined || rows instanceof RepublishError) throw new Error(`no rows: ${String(rows)}`);
  return rows.map((row) => JSON.parse(row) as unknown);
}

beforeEach(async () => {
  lnbits = await makeLnbitsFolder();
  await lnbits.write(`
    INSERT INTO accounts (id, pubkey, signer_type, signer_config) VALUES ('op', '${HEX}', 'RemoteBunkerSigner', '{"client_nsec":"x"}'), ('none', NULL, NULL, NULL);
    INSERT INTO spirekeeper.dca_machines (id, operator_user_id, wallet_id, machine_npub, name, is_active, operator_cash_in_fee_fraction) VALUES
      ('m1', 'op', 'w1', '${HEX.toUpperCase()}', 'Lobby', 1, 0.0333), ('m2', 'op', 'w2', '${NPUB}', NULL, 0, 0), ('m10', 'op', 'w3', NULL, 'New', 1, 0),
      ('é', 'op', 'w4', ' ${'b'.repeat(64)} ', 'x', 1, 0), ('other', 'op2', 'w5', NULL, 'x', 1, 0);
    INSERT INTO spirekeeper.cassette_configs (machine_id, position, denomination, count) VALUES ('m1', 1, 20, 100), ('m1', 2, 50, 0), ('m2', 1, 20, 7);
  `);
});
afterEach(async () => {
  for (const source of opened.splice(0)) await source.close();
  await lnbits.remove();
});

describe('LNbits on SQLite', () => {
  test('is described without being asked for anything else', async () => {
    expect(await open().describe()).toEqual({
      kind: 'sqlite',
      where: lnbits.folder,
      preset: 'spirekeeper',
      machinesFrom: 'table spirekeeper.dca_machines, operator_user_id',
    });
  });

  test('gives accounts', async () => {
    const source = open();
    expect(await source.account('op')).toEqual({ id: 'op', pubkey: HEX });
    expect(await source.account('none')).toEqual({ id: 'none', pubkey: null });
    expect(await source.account('nobody')).toBeUndefined();
  });

  test('gives machines in the order of the bytes of their ids, page by page, inactive ones and those without a key too', async () => {
    const source = open();
    const machines = await source.machines({ operatorUserId: 'op', limit: 3 });
    expect(machines).toEqual([
      { id: 'm1', name: 'Lobby', machineNpub: HEX.toUpperCase() },
      { id: 'm10', name: 'New', machineNpub: null },
      { id: 'm2', name: null, machineNpub: NPUB },
    ]);
    const next = await source.machines({ operatorUserId: 'op', after: 'm2', limit: 3 });
    expect(next.map(({ id }) => id)).toEqual(['é']);
    const some = await source.machines({ operatorUserId: 'op', machineIds: ['m2', 'other', "'"], limit: 9 });
    expect(some.map(({ id }) => id)).toEqual(['m2']);
  });

  test('gives operators, keys however they are written, and the account’s signer', async () => {
    const source = open();
    expect(await source.operators({ limit: 10 })).toEqual(['op', 'op2']);
    expect(await source.operators({ after: 'op', limit: 10 })).toEqual(['op2']);
    expect((await source.machineKeys('op', [HEX, 'b'.repeat(64), NPUB])).toSorted()).toEqual(
      [HEX.toUpperCase(), ` ${'b'.repeat(64)} `, NPUB].toSorted(),
    );
    expect(await source.machineKeys('op2', [HEX])).toEqual([]);
    expect(await source.signer('op')).toEqual({
      signerType: 'RemoteBunkerSigner',
      signerConfig: '{"client_nsec":"x"}',
      prvkey: null,
    });
  });

  test('gives the states of many machines, with the digits of the database', async () => {
    const source = open();
    const cassettes = await source.states('cassettes', ['m1', 'm2', 'm10', 'nobody'], MAX_BYTES);
    expect([...cassettes.keys()]).toEqual(['m1', 'm2', 'm10', 'nobody']);
    expect(await rowsOf(source, 'cassettes', 'm1')).toMatchObject([
      { machine_id: 'm1', position: 1, denomination: 20, count: 100, state_count: null },
      { position: 2, denomination: 50, count: 0 },
    ]);
    expect(cassettes.get('nobody')).toEqual([]);
    const fees = await source.states('fees', ['m1'], MAX_BYTES);
    expect(fees.get('m1')).toEqual(['{"machine_id":"m1","super_in":0.03,"operator_in":0.0333}']);
  });

  test('keeps the order of SQL of one’s own', async () => {
    expect(await rowsOf(open(), 'ordered', 'm1')).toEqual([
      { position: 2, count: 0 },
      { position: 1, count: 100 },
    ]);
    expect(await rowsOf(open(), 'ordered', 'm10')).toEqual([]);
  });

  test('takes ids that are numbers', async () => {
    await lnbits.write(`
      CREATE TABLE spirekeeper.numbered (id INTEGER PRIMARY KEY, name TEXT, machine_npub TEXT, operator_user_id TEXT, machine_id INTEGER, note TEXT);
      INSERT INTO spirekeeper.numbered VALUES (7, 'x', NULL, 'op', 7, 'seven'), (12, 'y', NULL, 'op', 12, 'twelve')`);
    const queries: SourceQueries = {
      documents: { note: { table: 'numbered' } },
      documentTypes: [],
      machines: { sql: 'SELECT * FROM {numbered} WHERE operator_user_id = $1' },
    };
    const source = open({ queries });
    const ids = (await source.machines({ operatorUserId: 'op', limit: 9 })).map(({ id }) => id);
    expect(ids).toEqual(['12', '7']);
    expect(await source.machines({ operatorUserId: 'op', after: '12', limit: 9 })).toHaveLength(1);
    expect(await rowsOf(source, 'note', '12')).toMatchObject([{ note: 'twelve' }]);
  });

  test('a state of too many rows or bytes is the failure of its machine alone', async () => {
    await lnbits.write(`
      INSERT INTO spirekeeper.cassette_configs (machine_id, position, denomination, count)
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1001) SELECT 'long', i, 1, 1 FROM n;
      INSERT INTO spirekeeper.cassette_configs (machine_id, position, denomination, count, state_event_id)
        VALUES ('wide', 1, 1, 1, printf('%.*c', 5000, 'x'))`);
    const states = await open().states('cassettes', ['long', 'wide', 'm1'], MAX_BYTES);
    expect(states.get('long')).toMatchObject({
      type: 'StateTooLarge',
      message: expect.stringContaining('rows'),
    });
    expect(states.get('wide')).toMatchObject({
      type: 'StateTooLarge',
      message: expect.stringContaining('4000 bytes'),
    });
    expect(states.get('m1')).toHaveLength(2);
    const one = await open().states('ordered', ['long', 'm1'], MAX_BYTES);
    expect(one.get('long')).toMatchObject({ type: 'StateTooLarge' });
    expect(one.get('m1')).toHaveLength(2);
  });

  test('the relays of nostrclient are read where it is installed', async () => {
    expect(await open().nostrclientRelays()).toBeUndefined();
    const client = await openToWrite(lnbits.path('ext_nostrclient.sqlite3'));
    // As migrations.py of the extension makes it. The extension publishes to inactive relays too.
    client.exec(`CREATE TABLE relays (id TEXT NOT NULL PRIMARY KEY, url TEXT NOT NULL, active BOOLEAN DEFAULT true);
      INSERT INTO relays VALUES ('1', 'wss://b.example', 0), ('2', 'wss://a.example', 1)`);
    client.close();
    expect(await open().nostrclientRelays()).toEqual(['wss://a.example', 'wss://b.example']);
  });
});

describe('what is not as it was configured', () => {
  const misconfigured = (message: RegExp) => ({
    type: 'SourceMisconfigured',
    message: expect.stringMatching(message),
  });

  test('a folder that is not LNbits’ names the file that is missing', async () => {
    await rm(lnbits.path('database.sqlite3'));
    await expect(open().account('op')).rejects.toMatchObject(misconfigured(/database\.sqlite3 is missing/));
    await expect(open({ folder: '/nowhere/data' }).describe()).rejects.toMatchObject(
      misconfigured(/\/nowhere\/data is missing/),
    );
  });

  test('a file that is no database, or a damaged one', async () => {
    const core = lnbits.path('database.sqlite3');
    await writeFile(core, 'x'.repeat(5000));
    await expect(open().account('op')).rejects.toMatchObject(misconfigured(/is not an SQLite database/));
    await writeFile(core, Buffer.concat([Buffer.from('SQLite format 3\0'), Buffer.alloc(5000, 1)]));
    await expect(open().account('op')).rejects.toMatchObject(misconfigured(/is damaged/));
  });

  test('a folder where a file should be', async () => {
    await rm(lnbits.path('database.sqlite3'));
    await symlink(lnbits.folder, lnbits.path('database.sqlite3'));
    await expect(open().account('op')).rejects.toMatchObject(misconfigured(/is a folder and no database/));
  });

  test('queries that do not fit name themselves', async () => {
    const queries = (over: Partial<SourceQueries>): SourceQueries => ({ ...QUERIES, ...over });
    await expect(
      open({ queries: queries({ account: { table: 'acounts' } }) }).account('op'),
    ).rejects.toMatchObject(misconfigured(/^queries\.account: no such table: acounts$/));
    await expect(
      open({
        queries: queries({ machines: { sql: 'SELECT id, name FROM {dca_machines} WHERE id = $1' } }),
      }).machines({ operatorUserId: 'op', limit: 1 }),
    ).rejects.toMatchObject(misconfigured(/^queries\.machines: no such column: source\.machine_npub/));
    await expect(
      open({ queries: queries({ documents: { cassettes: { table: 'super_config' } } }) }).states(
        'cassettes',
        ['m1'],
        MAX_BYTES,
      ),
    ).rejects.toMatchObject(
      misconfigured(/^queries\.documents\.cassettes: no such column: source\.machine_id/),
    );
    await expect(
      open({ queries: queries({ documents: { cassettes: { table: 't', schema: 'absent' } } }) }).states(
        'cassettes',
        ['m1'],
        MAX_BYTES,
      ),
    ).rejects.toMatchObject(misconfigured(/no such table: absent\.t \(there is no ext_absent\.sqlite3 in/));
    await expect(
      open({
        queries: queries({ documents: { twice: { sql: 'SELECT 1 AS a, 2 AS b, 3 AS A WHERE $1 <> 0' } } }),
      }).states('twice', ['m1'], MAX_BYTES),
    ).rejects.toMatchObject(misconfigured(/two columns are named "a"/));
    await expect(
      open({ queries: queries({ account: { sql: 'SELECT $1::text AS id, NULL AS pubkey' } }) }).account('op'),
    ).rejects.toMatchObject(misconfigured(/^queries\.account: /));
  });

  test('two extensions are refused until one is named, and none is refused', async () => {
    await copyFile(lnbits.path('ext_spirekeeper.sqlite3'), lnbits.path('ext_satoshimachine.sqlite3'));
    const auto = open();
    await expect(auto.describe()).rejects.toMatchObject(
      misconfigured(/spirekeeper and of satmachineadmin.*"preset"/),
    );
    expect(await open({ preset: 'satmachineadmin' }).describe()).toMatchObject({ preset: 'satmachineadmin' });
    await rm(lnbits.path('ext_spirekeeper.sqlite3'));
    // A failure is not kept.
    expect(await auto.describe()).toMatchObject({ preset: 'satmachineadmin' });
    await rm(lnbits.path('ext_satoshimachine.sqlite3'));
    await expect(open().describe()).rejects.toMatchObject(
      misconfigured(/ext_spirekeeper\.sqlite3, ext_satoshimachine\.sqlite3/),
    );
    await expect(open({ preset: 'spirekeeper' }).describe()).rejects.toMatchObject(
      misconfigured(/of the preset spirekeeper/),
    );
    // LNbits' own table needs no extension.
    expect(await open().account('op')).toMatchObject({ id: 'op' });
  });
});

describe('the files', () => {
  test('are left as they were, with nothing beside them', async () => {
    const source = open();
    await source.machines({ operatorUserId: 'op', limit: 9 });
    await source.states('fees', ['m1'], MAX_BYTES);
    expect((await readdir(lnbits.folder)).toSorted()).toEqual([
      'database.sqlite3',
      'ext_spirekeeper.sqlite3',
    ]);
  });

  test('are found anew when they were replaced', async () => {
    const source = open();
    expect(await source.account('op')).toMatchObject({ pubkey: HEX });
    const restored = await makeLnbitsFolder();
    await restored.write(`INSERT INTO accounts (id, pubkey) VALUES ('op', 'other')`);
    await rename(restored.path('database.sqlite3'), lnbits.path('database.sqlite3'));
    await restored.remove();
    expect(await source.account('op')).toMatchObject({ pubkey: 'other' });
  });
});

describe('any value that SQLite can hold', () => {
  type Cell = { bind: unknown; says: 'json' | 'invalid'; json?: string; text?: string };
  const utf8 = (bytes: Buffer): string | undefined => {
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      return undefined;
    }
  };
  const integer = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((bind): Cell => ({
    bind,
    says: 'json',
    json: String(bind),
  }));
  const real = fc.double().map((bind): Cell => {
    if (Number.isNaN(bind)) return { bind, says: 'json', json: 'null' };
    return Number.isFinite(bind) ? { bind, says: 'json', json: String(bind) } : { bind, says: 'invalid' };
  });
  const asText = (bytes: Buffer): Cell => {
    const text = utf8(bytes);
    return { bind: bytes, text: 'CAST(? AS TEXT)', says: text === undefined ? 'invalid' : 'json', ...(text === undefined ? {} : { json: JSON.stringify(text) }) }; // prettier-ignore
  };
  const text = fc.oneof(
    fc.string({ unit: 'binary' }).map((string) => asText(Buffer.from(string))),
    fc.constantFrom('\u0000', 'a\u0000b', '\ufeffx', '', '"\\\n\u2028').map((string) => asText(Buffer.from(string))),
    fc.uint8Array({ maxLength: 20 }).map((bytes) => asText(Buffer.from(bytes))),
  ); // prettier-ignore
  const blob = fc
    .uint8Array({ maxLength: 20 })
    .map((bytes): Cell => ({ bind: Buffer.from(bytes), says: 'invalid' }));
  const nothing = fc.constant<Cell>({ bind: null, says: 'json', json: 'null' });

  test('comes out with the same digits, or is refused by its name', async () => {
    const writer = await openToWrite(lnbits.path('ext_spirekeeper.sqlite3'));
    writer.exec('CREATE TABLE anything (machine_id TEXT, value)');
    const queries: SourceQueries = { documents: { any: { table: 'anything' } }, documentTypes: [] };
    const source = open({ queries, preset: 'spirekeeper' });
    const cells = fc.array(fc.oneof(integer, real, text, blob, nothing), { minLength: 1, maxLength: 50 });
    await fc.assert(
      fc.asyncProperty(cells, async (written) => {
        writer.exec('DELETE FROM anything');
        written.forEach(({ bind, text: expression = '?' }, index) =>
          writer.prepare(`INSERT INTO anything VALUES (?, ${expression})`).run(String(index), bind),
        );
        const states = await source.states('any', Object.keys(written), 100_000);
        const told = [...states].map(([id, rows]: [string, StateRows]) =>
          rows instanceof RepublishError ? { id, type: rows.type, message: rows.message } : { id, rows },
        );
        expect(told).toEqual(
          written.map(({ says, json }, id) =>
            says === 'json'
              ? { id: String(id), rows: [`{"machine_id":"${id}","value":${json}}`] }
              : { id: String(id), type: 'StateInvalid', message: expect.stringMatching(/^"value" is /) },
          ),
        );
      }),
      { numRuns: 60 },
    );
    writer.close();
  });
});
