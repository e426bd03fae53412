import { RepublishError } from '../../contract/failures';
import { seedOperator } from '../../dev/seed';
import { createLnbitsDatabase, type LnbitsDatabase } from '../support/lnbits-database';

const MAX_BYTES = 1_000;

describe('LNbits on Postgres', () => {
  let lnbits: LnbitsDatabase;

  beforeAll(async () => {
    lnbits = await createLnbitsDatabase('template_lnbits');
    await seedOperator(lnbits.database, { id: 'op', pubkey: 'ab'.repeat(32), machines: 7 });
    await seedOperator(lnbits.database, { id: 'other', pubkey: 'cd'.repeat(32), machines: 1 });
    await lnbits.database.query("INSERT INTO accounts (id) VALUES ('keyless')");
  });
  afterAll(() => lnbits.drop());

  test('says what it reads, without user and password', async () => {
    const { host, pathname } = new URL(lnbits.url);
    expect(await lnbits.source().describe()).toEqual({
      kind: 'postgres',
      where: `Postgres ${host}${pathname}`,
      preset: 'spirekeeper',
      machinesFrom: 'table spirekeeper.dca_machines, operator_user_id',
    });
  });

  test('accounts: the key, none, and nobody', async () => {
    const source = lnbits.source();
    expect(await source.account('op')).toEqual({ id: 'op', pubkey: 'ab'.repeat(32) });
    expect(await source.account('keyless')).toEqual({ id: 'keyless', pubkey: null });
    expect(await source.account("o'neil")).toBeUndefined();
  });

  test('machines in pages by id, some by name, those of others never; unpaired and inactive ones too', async () => {
    await lnbits.database.query(
      `UPDATE spirekeeper.dca_machines SET machine_npub = NULL, name = NULL, is_active = false WHERE id = 'op-machine-00004'`,
    );
    const source = lnbits.source();
    const ids: string[] = [];
    for (let after: string | undefined; ;) {
      const page = await source.machines({ operatorUserId: 'op', after, limit: 3 });
      ids.push(...page.map(({ id }) => id));
      after = page.at(-1)?.id;
      if (page.length < 3) break;
    }
    expect(ids).toEqual(Array.from({ length: 7 }, (_, index) => `op-machine-0000${index + 1}`));
    const machineIds = ['op-machine-00004', 'other-machine-00001', 'none'];
    expect(await source.machines({ operatorUserId: 'op', machineIds, limit: 10 })).toEqual([
      { id: 'op-machine-00004', name: null, machineNpub: null },
    ]);
    expect(await source.operators({ limit: 10 })).toEqual(['op', 'other']);
    expect(await source.operators({ after: 'op', limit: 10 })).toEqual(['other']);
    expect(await source.operators({ limit: 1 })).toEqual(['op']);
  });

  test('ids in the order of their bytes, whatever the locale of the server says', async () => {
    const ids = ['B', 'a', 'C', 'é', 'a-1', 'a_1', '😀'];
    await lnbits.database.query(
      `INSERT INTO spirekeeper.dca_machines (id, operator_user_id, wallet_id) SELECT id, 'mixed', id FROM unnest($1::text[]) AS id`,
      [ids],
    );
    const machines = await lnbits.source().machines({ operatorUserId: 'mixed', limit: 10 });
    expect(machines.map(({ id }) => id)).toEqual(
      ids.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
    );
    await lnbits.database.query("DELETE FROM spirekeeper.dca_machines WHERE operator_user_id = 'mixed'");
  });

  test('keys that are written like one of the spellings, but for case and blanks', async () => {
    const key = 'ef'.repeat(32);
    await lnbits.database.query(
      `INSERT INTO spirekeeper.dca_machines (id, operator_user_id, wallet_id, machine_npub)
       VALUES ('k1', 'keys', 'k1', $1), ('k2', 'keys', 'k2', $2), ('k3', 'keys', 'k3', 'else'), ('k4', 'keys', 'k4', NULL)`,
      [key.toUpperCase(), ` ${key}\n`],
    );
    const found = await lnbits.source().machineKeys('keys', [key]);
    expect(found.toSorted()).toEqual([key.toUpperCase(), ` ${key}\n`].toSorted());
    expect(await lnbits.source().machineKeys('op', [key])).toEqual([]);
    await lnbits.database.query("DELETE FROM spirekeeper.dca_machines WHERE operator_user_id = 'keys'");
  });

  test('the account’s own signer', async () => {
    await lnbits.database.query(
      `UPDATE accounts SET signer_type = 'RemoteBunkerSigner', signer_config = '{"client_nsec":"nsec1x"}' WHERE id = 'other'`,
    );
    const source = lnbits.source();
    expect(await source.signer('other')).toEqual({
      signerType: 'RemoteBunkerSigner',
      signerConfig: '{"client_nsec":"nsec1x"}',
      prvkey: null,
    });
    expect(await source.signer('op')).toEqual({ signerType: null, signerConfig: null, prvkey: null });
    expect(await source.signer('nobody')).toBeUndefined();
  });

  test('relays of nostrclient, where there is one', async () => {
    const source = lnbits.source();
    expect(await source.nostrclientRelays()).toBeUndefined();
    await lnbits.database.query(
      `CREATE SCHEMA nostrclient; CREATE TABLE nostrclient.relays (id text PRIMARY KEY, url text NOT NULL, active boolean);
       INSERT INTO nostrclient.relays VALUES ('a', 'wss://one.example'), ('b', 'wss://two.example')`,
    );
    expect(await source.nostrclientRelays()).toEqual(['wss://one.example', 'wss://two.example']);
    await lnbits.database.query('DROP SCHEMA nostrclient CASCADE');
  });

  test('a user that may only SELECT, in transactions that may only read, reads everything', async () => {
    const role = `reader_${process.pid}_${Date.now()}`;
    await lnbits.database.query(
      `CREATE ROLE ${role} LOGIN PASSWORD 'reader'; ALTER ROLE ${role} SET default_transaction_read_only = on;
       GRANT USAGE ON SCHEMA spirekeeper TO ${role};
       GRANT SELECT ON accounts, spirekeeper.dca_machines, spirekeeper.super_config, spirekeeper.cassette_configs TO ${role}`,
    );
    try {
      const url = new URL(lnbits.url);
      url.username = role;
      url.password = 'reader';
      const source = lnbits.source({ url: url.href });
      expect((await source.describe()).preset).toBe('spirekeeper');
      expect(await source.account('op')).toBeDefined();
      expect(await source.machines({ operatorUserId: 'op', limit: 10 })).toHaveLength(7);
      expect(await source.machineKeys('op', ['x'])).toEqual([]);
      expect(await source.operators({ limit: 10 })).toHaveLength(2);
      expect(await source.signer('op')).toBeDefined();
      expect(await source.nostrclientRelays()).toBeUndefined();
      for (const type of ['bitspire-cassettes', 'bitspire-fees']) {
        const states = await source.states(type, ['op-machine-00001'], MAX_BYTES);
        expect(states.get('op-machine-00001')).toHaveLength(type === 'bitspire-fees' ? 1 : 3);
      }
    } finally {
      await lnbits.database.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
    }
  });

  test('a database that is not there may come back; a table or right that is missing stays missing', async () => {
    const away = lnbits.source({ url: 'postgres://nobody:secret@127.0.0.1:9/lnbits' });
    await expect(away.account('op')).rejects.toMatchObject({ type: 'SourceUnavailable' });
    const missing = lnbits.source({ queries: { machines: { table: 'no_machines' } } });
    const failure: unknown = await missing.machines({ operatorUserId: 'op', limit: 1 }).catch((e) => e);
    expect(failure).toMatchObject({
      type: 'SourceMisconfigured',
      message: expect.stringMatching(/^queries\.machines: .*no_machines/),
    });
    await expect(lnbits.source().states('unknown-type', ['m'], MAX_BYTES)).rejects.toMatchObject({
      type: 'SourceMisconfigured',
      message: expect.stringContaining('queries.documents.unknown-type'),
    });
  });
});

describe('states on Postgres', () => {
  let lnbits: LnbitsDatabase;

  beforeAll(async () => {
    lnbits = await createLnbitsDatabase('template_lnbits');
    await lnbits.database.query(
      `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET extra_float_digits = 0', current_database()); END $$`,
    );
    await lnbits.database.query(
      `CREATE TABLE spirekeeper.texts (machine_id text, position int, note text);
       INSERT INTO spirekeeper.texts
         SELECT 'm' || machine, position, 'é " ' || position
           FROM generate_series(1, 4) AS machine, generate_series(machine, 1, -1) AS position;
       INSERT INTO spirekeeper.texts SELECT 'wide', 1, repeat('x', 5000);
       INSERT INTO spirekeeper.texts SELECT 'long', position FROM generate_series(1, 1001) AS position;
       INSERT INTO spirekeeper.texts SELECT 'thousand', position FROM generate_series(1, 1000) AS position;`,
    );
  });
  afterAll(() => lnbits.drop());

  const TOO_LARGE = { type: 'StateTooLarge' };

  test('one entry for each machine that was asked for, and no rows are no state', async () => {
    const states = await lnbits
      .source({ state: { table: 'texts' } })
      .states('t', ['m2', 'nobody', "o'neil", '{"'], MAX_BYTES);
    expect(Object.fromEntries(states)).toEqual({
      m2: [
        '{"machine_id":"m2","position":1,"note":"é \\" 1"}',
        '{"machine_id":"m2","position":2,"note":"é \\" 2"}',
      ],
      nobody: [],
      "o'neil": [],
      '{"': [],
    });
  });

  test('too many rows and too many bytes are told of that machine alone', async () => {
    const source = lnbits.source({ state: { table: 'texts' } });
    const states = await source.states('t', ['m1', 'wide', 'long', 'm3'], MAX_BYTES);
    expect(states.get('m1')).toHaveLength(1);
    expect(states.get('m3')).toHaveLength(3);
    expect(states.get('wide')).toMatchObject(TOO_LARGE);
    expect(states.get('long')).toMatchObject({ ...TOO_LARGE, message: expect.stringContaining('1000 rows') });
    const large = await source.states('t', ['thousand', 'wide'], 100_000);
    expect([large.get('thousand'), large.get('wide')].map((rows) => rows instanceof RepublishError)).toEqual([
      false,
      false,
    ]);
    expect(large.get('thousand')).toHaveLength(1_000);
  });

  test('SQL with $1 is asked for each machine, and held to the same bounds', async () => {
    const source = lnbits.source({
      query: { sql: 'SELECT position, note FROM spirekeeper.texts WHERE machine_id = $1 ;' },
    });
    const states = await source.states('t', ['m1', 'wide', 'long', 'nobody'], MAX_BYTES);
    expect(states.get('m1')).toEqual(['{"position":1,"note":"é \\" 1"}']);
    expect(states.get('wide')).toMatchObject(TOO_LARGE);
    expect(states.get('long')).toMatchObject(TOO_LARGE);
    expect(states.get('nobody')).toEqual([]);
  });

  test('SQL with $1 keeps its ORDER BY', async () => {
    const query = {
      sql: 'SELECT position FROM {texts} WHERE machine_id = $1 ORDER BY (position * 7) % 4, position DESC',
    };
    const states = await lnbits.source({ query }).states('t', ['m4'], MAX_BYTES);
    expect(states.get('m4')).toEqual([4, 3, 2, 1].map((position) => `{"position":${position}}`));
  });

  test('SQL without $1 gives the rows of all, and without machine_id it says so', async () => {
    const query = {
      sql: 'SELECT machine_id, sum(position) AS total FROM {texts} GROUP BY machine_id HAVING count(*) < 5',
    };
    const states = await lnbits.source({ query }).states('t', ['m2', 'm4', 'long'], MAX_BYTES);
    expect(Object.fromEntries(states)).toEqual({
      m2: ['{"machine_id":"m2","total":3}'],
      m4: ['{"machine_id":"m4","total":10}'],
      long: [],
    });
    const without = lnbits.source({ query: { sql: 'SELECT position FROM {texts}' } });
    const failure: unknown = await without.states('t', ['m1'], MAX_BYTES).catch((thrown) => thrown);
    expect(failure).toMatchObject({
      type: 'SourceMisconfigured',
      message: expect.stringMatching(/^queries\.documents\.t: .*machine_id/),
    });
  });

  test('the order of rows is that of their text, and no update changes it', async () => {
    const source = lnbits.source({ state: { table: 'texts' } });
    const before = (await source.states('t', ['m4'], MAX_BYTES)).get('m4');
    await lnbits.database.query(
      "UPDATE spirekeeper.texts SET note = note WHERE machine_id = 'm4' AND position IN (1, 3)",
    );
    expect((await source.states('t', ['m4'], MAX_BYTES)).get('m4')).toEqual(before);
    const positions = (before as string[]).map((row) => (JSON.parse(row) as { position: number }).position);
    expect(positions).toEqual([1, 2, 3, 4]);
  });

  test('ids that are numbers', async () => {
    await lnbits.database.query(
      `CREATE TABLE spirekeeper.numbered (machine_id bigint, position int);
       INSERT INTO spirekeeper.numbered VALUES (9007199254740993, 1), (9007199254740992, 2), (7, 3)`,
    );
    const source = lnbits.source({
      state: { table: 'numbered' },
      queries: {
        machines: {
          sql: 'SELECT DISTINCT machine_id AS id, position AS name, $1 AS machine_npub FROM {numbered}',
        },
      },
    });
    const ids = ['9007199254740993', '7'];
    const states = await source.states('t', [...ids, 'x'], MAX_BYTES);
    expect(Object.fromEntries(states)).toEqual({
      '9007199254740993': ['{"machine_id":9007199254740993,"position":1}'],
      '7': ['{"machine_id":7,"position":3}'],
      x: [],
    });
    expect(await source.machines({ operatorUserId: 'op', machineIds: ids, limit: 5 })).toEqual([
      { id: '7', name: '3', machineNpub: 'op' },
      { id: '9007199254740993', name: '1', machineNpub: 'op' },
    ]);
  });

  test('one machine’s row that Postgres cannot read is not the failure of the others', async () => {
    await lnbits.database.query(
      `CREATE TABLE spirekeeper.written (machine_id text, amount text);
       INSERT INTO spirekeeper.written VALUES ('good', '12'), ('bad', 'twelve'), ('fine', '7');
       CREATE VIEW spirekeeper.amounts AS SELECT machine_id, amount::int AS amount FROM spirekeeper.written`,
    );
    const source = lnbits.source({ state: { table: 'amounts' } });
    const states = await source.states('t', ['good', 'bad', 'fine', 'nobody'], MAX_BYTES);
    expect(states.get('good')).toEqual(['{"machine_id":"good","amount":12}']);
    expect(states.get('fine')).toEqual(['{"machine_id":"fine","amount":7}']);
    expect(states.get('nobody')).toEqual([]);
    const bad = states.get('bad');
    expect(bad).toMatchObject({ type: 'SourceMisconfigured', message: expect.stringContaining('22P02') });
    // Postgres quotes the value, which is the machine's state.
    expect((bad as RepublishError).message).not.toContain('twelve');
  });

  /** What a column holds, and its JSON text: no digit more, none less. */
  const EXACT: [type: string, value: string, json: string][] = [
    ['numeric(5,4)', '0.0333', '0.0333'],
    ['numeric(5,4)', '0.15', '0.1500'],
    ['numeric(30,10)', '12345678901234567890.0123456789', '12345678901234567890.0123456789'],
    ['numeric', '1e-400', `0.${'0'.repeat(399)}1`],
    ['bigint', '9007199254740993', '9007199254740993'],
    ['double precision', '0.1', '0.1'],
    // Of which a server before 12, or a database that is set so, shows fewer digits.
    ['double precision', '0.30000000000000004', '0.30000000000000004'],
    ['double precision', '1e300', '1e+300'],
    ['real', '0.1', '0.1'],
    ['real', '16777217', '1.6777216e+07'],
    ['json', '{"b": 1.10, "a": 9007199254740993, "b": 2}', '{"b": 1.10, "a": 9007199254740993, "b": 2}'],
    ['jsonb', '{"b": 1.10, "a": 9007199254740993}', '{"a": 9007199254740993, "b": 1.10}'],
    ['text', '1e2', '"1e2"'],
    ['boolean', 'true', 'true'],
  ];
  test.each(EXACT)('a number or document of type %s: %s', async (type, value, json) => {
    await lnbits.database.query(`CREATE TABLE spirekeeper.exact (machine_id text, value ${type})`);
    try {
      await lnbits.database.query(`INSERT INTO spirekeeper.exact VALUES ('m', $1::text::${type})`, [value]);
      for (const state of [
        { table: 'exact' },
        { sql: 'SELECT machine_id, value FROM {exact} WHERE machine_id = $1' },
      ]) {
        const states = await lnbits.source({ state }).states('t', ['m'], 10_000);
        expect(states.get('m')).toEqual([`{"machine_id":"m","value":${json}}`]);
      }
    } finally {
      await lnbits.database.query('DROP TABLE spirekeeper.exact');
    }
  });
});

describe('whose tables they are', () => {
  let lnbits: LnbitsDatabase;

  beforeEach(async () => {
    lnbits = await createLnbitsDatabase();
    await lnbits.database.query('CREATE TABLE accounts (id text PRIMARY KEY, pubkey text)');
  });
  afterEach(() => lnbits.drop());

  const MACHINES = `dca_machines (id text PRIMARY KEY, operator_user_id text, name text, machine_npub text)`;
  const create = (schema: string): Promise<unknown> =>
    lnbits.database.query(
      `CREATE SCHEMA ${schema}; CREATE TABLE ${schema}.${MACHINES};
       INSERT INTO ${schema}.dca_machines VALUES ('m', 'op', '${schema}', NULL)`,
    );
  const namesIn = async (options: Parameters<LnbitsDatabase['source']>[0] = {}) =>
    (await lnbits.source(options).machines({ operatorUserId: 'op', limit: 5 })).map(({ name }) => name);

  test.each([
    ['spirekeeper', 'spirekeeper'],
    ['satoshimachine', 'satmachineadmin'],
  ] as const)('the schema %s is the preset %s, by itself or by its name', async (schema, preset) => {
    await create(schema);
    expect(await lnbits.source().describe()).toMatchObject({ preset });
    expect(await namesIn()).toEqual([schema]);
    expect(await namesIn({ preset })).toEqual([schema]);
    const other = preset === 'spirekeeper' ? 'satmachineadmin' : 'spirekeeper';
    await expect(namesIn({ preset: other })).rejects.toMatchObject({
      type: 'SourceMisconfigured',
      message: expect.stringContaining(other),
    });
  });

  test('both there are refused until one is named', async () => {
    await create('spirekeeper');
    await create('satoshimachine');
    await expect(namesIn()).rejects.toMatchObject({
      type: 'SourceMisconfigured',
      message: expect.stringMatching(/spirekeeper and of satmachineadmin: .*"preset" \(REPUBLISH_PRESET\)/),
    });
    expect(await namesIn({ preset: 'spirekeeper' })).toEqual(['spirekeeper']);
    expect(await namesIn({ preset: 'satmachineadmin' })).toEqual(['satoshimachine']);
  });

  test('neither there is said, with what was looked for, and found once the extension is installed', async () => {
    const source = lnbits.source();
    await expect(source.describe()).rejects.toMatchObject({
      type: 'SourceMisconfigured',
      message: expect.stringMatching(/spirekeeper\.dca_machines .*satoshimachine\.dca_machines/),
    });
    expect(await source.account('nobody')).toBeUndefined();
    await create('spirekeeper');
    expect((await source.describe()).preset).toBe('spirekeeper');
  });

  test('a schema of one’s own stands in for the preset’s, a table may have another, and SQL needs none', async () => {
    await create('mine');
    await create('theirs');
    expect(await namesIn({ queries: { schema: 'mine' } })).toEqual(['mine']);
    expect(await lnbits.source({ queries: { schema: 'mine' } }).describe()).toMatchObject({
      preset: 'queries',
    });
    const machines = { table: 'dca_machines', schema: 'theirs' };
    expect(await namesIn({ queries: { schema: 'mine', machines } })).toEqual(['theirs']);
    const query = { sql: 'SELECT id AS machine_id, name FROM {dca_machines}' };
    const source = lnbits.source({ query, queries: { schema: 'mine', documents: { t: query } } });
    expect((await source.states('t', ['m'], MAX_BYTES)).get('m')).toEqual([
      '{"machine_id":"m","name":"mine"}',
    ]);
    const sql = `SELECT id, name, machine_npub FROM theirs.dca_machines WHERE operator_user_id = $1`;
    const alone = { queries: { machines: { sql }, documentTypes: [] } };
    expect(await lnbits.source(alone).describe()).toMatchObject({ preset: 'queries' });
    expect(await namesIn(alone)).toEqual(['theirs']);
  });
});
