import type { ReadOnlyDependencies } from '../../activities/dependencies';
import { buildReadOnly } from '../../assembly/read-only';
import { RepublishError } from '../../contract/failures';
import type { ReadOnlyDatabase } from '../../database/connection';
import { keepProof } from '../../database/ledger/proofs';
import { findSigner, putSigner } from '../../database/signers';
import { openSource } from '../../sources/open';
import { documentTypes } from '../../documents/registry';
import { withInspection } from '../../inspection/open';
import { fails } from '../support/fails';
import { type Saga, startSaga } from '../support/saga';

let saga: Saga;
beforeAll(async () => {
  saga = await startSaga();
});
afterAll(() => saga.stop());

/** Never called: what is written here has to be refused by the compiler (`npm run types`). */
export function refusedByTypes(looking: ReadOnlyDependencies, database: ReadOnlyDatabase): unknown[] {
  return [
    // @ts-expect-error it sends nothing
    () => looking.publisher.send,
    // @ts-expect-error it has no keyring, and so no signer that is open
    () => looking.keyring,
    // @ts-expect-error a function that writes does not take what only reads
    () => keepProof(looking.database, 'run', 'signer'),
    // @ts-expect-error nor in a transaction
    () => looking.database.transaction((client) => keepProof(client, 'run', 'signer')),
    // @ts-expect-error signers are stored by pairing
    () => putSigner(database, { operatorUserId: 'op', kind: 'local', pubkey: '', ncryptsec: '' }),
    // What reads takes it.
    () => findSigner(looking.database, 'op'),
  ];
}

const INSERT = "INSERT INTO republish.pairings VALUES ('op', repeat('a', 64), 'tag', 'key')";
const REFUSED = { type: 'DatabaseMisconfigured', message: 'it writes, and a query may only read' };

describe('what an inspection looks with', () => {
  test('Postgres refuses a write, alone and in a transaction', async () => {
    await withInspection(saga.configuration(), {}, async ({ database, source }) => {
      expect(await fails(RepublishError, database.query(INSERT))).toMatchObject(REFUSED);
      expect(
        await fails(
          RepublishError,
          database.transaction((client) => client.query(INSERT)),
        ),
      ).toMatchObject(REFUSED);
      expect(await database.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
      // LNbits' tables are in the same database here, and are read over the same connections.
      expect(await source.account('nobody')).toBeUndefined();
    });
    expect(await saga.database.query('SELECT * FROM republish.pairings')).toEqual([]);
  });

  test.each([
    ['over connections of its own', false],
    ["over the ledger's connections", true],
  ])('a query that writes is refused %s, by its name, also for a worker', async (_where, isShared) => {
    await saga.database.query('CREATE SEQUENCE IF NOT EXISTS seen');
    const sql = "SELECT $1::text AS id, NULL::text AS pubkey FROM nextval('seen')";
    const { databaseUrl: url = '' } = saga.configuration();
    const source = openSource({
      url,
      preset: 'auto',
      queries: { account: { sql }, documents: {}, documentTypes },
      ...(isShared ? { ledger: { url, database: saga.database } } : {}),
    });
    try {
      expect(await fails(RepublishError, source.account('nobody'))).toMatchObject({
        type: 'SourceMisconfigured',
        message: expect.stringMatching(/^queries\.account: it writes/),
        remedy: expect.stringMatching(/^Replace what writes in the query/),
      });
    } finally {
      await source.close();
    }
  });

  test('it has no function that sends or signs, whatever its type says', async () => {
    const { dependencies, close } = buildReadOnly(saga.configuration(), { documentTypes });
    try {
      expect(Object.keys(dependencies.publisher).sort()).toEqual(['impossibleBecause', 'look', 'required']);
      expect(dependencies).not.toHaveProperty('keyring');
      expect(dependencies.database).not.toHaveProperty('mayWrite');
    } finally {
      await close();
    }
  });
});
