import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { openSqliteSource } from '../../sources/sqlite';
import { programThatReadsTypeScript } from '../support/child-program';
import { betterSqlite3Folder, type LnbitsFolder, makeLnbitsFolder, nodeWithSqlite } from '../support/sqlite';

const QUERIES = {
  documents: {},
  documentTypes: [{ type: 'all', source: { sql: 'SELECT * FROM {everything}' } }],
};

/**
 * Asks everything, and prints the driver that answered. Errors of single machines are printed as their
 * message.
 */
const PROGRAM = (only: string, folder: string): string => `
  const { findSqliteDriver } = require('./sources/sqlite-driver.ts');
  const { openSqliteSource } = require('./sources/sqlite.ts');
  const answers = async () => {
    const driver = findSqliteDriver(${JSON.stringify(only)});
    const source = openSqliteSource({ folder: ${JSON.stringify(folder)}, preset: 'auto', queries: ${JSON.stringify(QUERIES)}, driver });
    const states = await source.states('all', ['m1', 'm2', 'blob', 'inf'], 1000);
    const rows = [...states].map(([id, rows]) => [id, Array.isArray(rows) ? rows : rows.message]);
    const broken = openSqliteSource({ folder: ${JSON.stringify(folder)}, preset: 'auto', queries: { ...${JSON.stringify(QUERIES)}, account: { sql: 'SELECT nothing FROM $1' } }, driver });
    return {
      driver: driver.name,
      rows,
      machines: await source.machines({ operatorUserId: 'op', machineIds: ['m1'], limit: 2 }),
      refused: await broken.account('op').catch(({ type }) => type),
      missing: await openSqliteSource({ folder: '/nowhere', preset: 'auto', queries: ${JSON.stringify(QUERIES)}, driver }).account('op').catch(({ type }) => type),
    };
  };
  answers().then((told) => console.log(JSON.stringify(told)), ({ type, message, remedy }) => console.log(JSON.stringify({ type, message, remedy })));
`;

describe('the drivers', () => {
  let lnbits: LnbitsFolder;

  beforeAll(async () => {
    lnbits = await makeLnbitsFolder();
    await lnbits.write(`
      INSERT INTO spirekeeper.dca_machines (id, operator_user_id, wallet_id, name) VALUES ('m1', 'op', 'w1', 'é');
      CREATE TABLE spirekeeper.everything (machine_id TEXT, "a b", "__proto__", text);
      INSERT INTO spirekeeper.everything VALUES
        ('m1', 9223372036854775807, -9223372036854775808, 'a' || char(0) || 'é'), ('m1', 1e-300, 0.1, ''), ('m2', NULL, 1e21, '"'),
        ('blob', 1, 1, x'00'), ('inf', 9e999, 1, '');
    `);
  });
  afterAll(() => lnbits.remove());

  async function answersOf(node: string, only: string, nodePath: string): Promise<Record<string, unknown>> {
    const { stdout, stderr } = await promisify(execFile)(
      node,
      ['-e', programThatReadsTypeScript(PROGRAM(only, lnbits.folder))],
      { env: { PATH: process.env.PATH, NODE_PATH: nodePath } },
    );
    // Also no ExperimentalWarning.
    expect(stderr).toBe('');
    return JSON.parse(stdout) as Record<string, unknown>;
  }

  test('node:sqlite and better-sqlite3 give the same answers, and no warning', async () => {
    const [ofNode, ofBetter] = [
      await answersOf(await nodeWithSqlite(), 'node:sqlite', ''),
      await answersOf(process.execPath, 'better-sqlite3', await betterSqlite3Folder()),
    ];
    expect(ofNode).toMatchObject({ driver: 'node:sqlite' });
    expect(ofBetter).toMatchObject({ driver: 'better-sqlite3' });
    expect(ofNode).toEqual({ ...ofBetter, driver: 'node:sqlite' });
    expect(ofNode).toMatchObject({
      rows: [
        [
          'm1',
          [
            '{"machine_id":"m1","a b":1e-300,"__proto__":0.1,"text":""}',
            '{"machine_id":"m1","a b":9223372036854775807,"__proto__":-9223372036854775808,"text":"a\\u0000é"}',
          ],
        ],
        ['m2', ['{"machine_id":"m2","a b":null,"__proto__":1e+21,"text":"\\""}']],
        ['blob', '"text" is a BLOB, which JSON cannot carry'],
        ['inf', '"a b" is infinite, which JSON cannot say'],
      ],
      machines: [{ id: 'm1', name: 'é', machineNpub: null }],
      refused: 'SourceMisconfigured',
      missing: 'SourceMisconfigured',
    });
  }, 300_000);

  test('where there is none, both remedies are named', async () => {
    expect(await answersOf(process.execPath, 'better-sqlite3', '')).toEqual({
      type: 'SourceMisconfigured',
      message: expect.stringMatching(/Node 22\.13 or later.*npm i .*better-sqlite3@12/),
      // Not that of wrong tables and rights.
      remedy: expect.stringMatching(/^Install the driver .*npm i better-sqlite3@12.* or use Node 22\.13/),
    });
  });

  test('this process has one', async () => {
    const source = openSqliteSource({ folder: lnbits.folder, preset: 'auto', queries: QUERIES });
    expect((await source.states('all', ['m2'], 1000)).get('m2')).toHaveLength(1);
    await source.close();
  });
});
