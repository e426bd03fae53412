import { createDatabase, dropDatabase } from '../../database/admin';
import { type Database, openDatabase } from '../../database/connection';
import { createSources, type Source } from '../../database/sources';
import { testServers } from '../support/servers';

const MAX_BYTES = 1_000;

describe('the state of many machines at once', () => {
  let database: Database;
  let name: string;

  beforeAll(async () => {
    name = `sources_${process.pid}_${Date.now()}`;
    database = openDatabase({ url: await createDatabase(testServers().postgresUrl, name) });
    await database.query('CREATE TABLE texts (machine_id text, position int, note text, at timestamptz)');
    await database.query(
      `INSERT INTO texts SELECT 'm' || machine, position, 'é " ' || position, to_timestamp(position)
         FROM generate_series(1, 4) AS machine, generate_series(machine, 1, -1) AS position`,
    );
    await database.query("INSERT INTO texts SELECT 'wide', 1, repeat('x', 5000), NULL");
    await database.query(
      "INSERT INTO texts SELECT 'long', position FROM generate_series(1, 1001) AS position",
    );
    await database.query("INSERT INTO texts SELECT 'just', position FROM generate_series(1, 60) AS position");
    await database.query('CREATE TABLE uuids (machine_id uuid, position int)');
    await database.query(
      "INSERT INTO uuids VALUES ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 1), ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12', 2)",
    );
  });
  afterAll(async () => {
    await database.close();
    await dropDatabase(testServers().postgresUrl, name);
  });

  function of(source: Source) {
    const unused = { table: 'none' };
    const sources = createSources({ account: unused, machines: unused, documents: { t: source } });
    return {
      one: (machineId: string) => sources.state(database, 't', machineId, MAX_BYTES),
      many: (machineIds: string[]) => sources.states(database, 't', machineIds, MAX_BYTES),
    };
  }

  test('is the state of each, in the same order', async () => {
    const { one, many } = of({ table: 'texts' });
    const ids = ['m1', 'm2', 'm3', 'm4', 'just'];
    const states = await many([...ids, 'nobody', "o'neil", '{"']);
    expect([...states.keys()].sort()).toEqual([...ids].sort());
    for (const id of ids) expect({ id, state: states.get(id) }).toEqual({ id, state: await one(id) });
    expect(states.get('m3')).toHaveLength(3);
  });

  test('leaves out those that are too large or too many, which say so one by one', async () => {
    const { one, many } = of({ table: 'texts' });
    expect([...(await many(['m1', 'wide', 'long'])).keys()]).toEqual(['m1']);
    for (const id of ['wide', 'long']) await expect(one(id)).rejects.toMatchObject({ type: 'StateTooLarge' });
  });

  test('takes ids of any type', async () => {
    const { one, many } = of({ table: 'uuids' });
    const id = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11';
    expect((await many([id])).get(id)).toEqual(await one(id));
  });

  // A machine whose state is missed would be skipped, and its document lost with the old key.
  test('says nothing where Postgres writes an id otherwise', async () => {
    const { one, many } = of({ table: 'uuids' });
    const id = 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11';
    expect((await many([id])).size).toBe(0);
    expect(await one(id)).toHaveLength(1);
  });

  test('says nothing where the query is of one’s own', async () => {
    const { one, many } = of({
      sql: 'SELECT position FROM texts WHERE machine_id = $1 ORDER BY position DESC',
    });
    expect((await many(['m2'])).size).toBe(0);
    expect(await one('m2')).toEqual([{ position: 2 }, { position: 1 }]);
  });
});
