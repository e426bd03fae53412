import { randomBytes } from 'node:crypto';
import { createDatabase, dropDatabase } from '../../database/admin';
import { appendAudit, auditOfRun, auditsOfOperator, type AuditRow } from '../../database/audit';
import { type Database, openDatabase } from '../../database/connection';
import { AttemptLedger } from '../../database/ledger/attempts';
import { documentsOfRun, newestSeal, planDocuments, type SealedEvent } from '../../database/ledger/documents';
import { failDocuments, failUnsettledDocuments } from '../../database/ledger/closing';
import { recordRun } from '../../database/ledger/runs';
import { migrate } from '../../database/migrate';
import { testServers } from '../support/servers';

const KEY = 'a'.repeat(64);
const ATM = 'b'.repeat(64);

describe('the ledger', () => {
  let database: Database;
  let ledger: AttemptLedger;
  let name: string;
  let url: string;
  let runs = 0;

  beforeAll(async () => {
    name = `ledger_${process.pid}_${Date.now()}`;
    url = await createDatabase(testServers().postgresUrl, name, 'template_lnbits');
    database = openDatabase({ url });
    ledger = new AttemptLedger(database);
  });
  afterAll(async () => {
    await database.close();
    await dropDatabase(testServers().postgresUrl, name);
  });

  /** Of a machine with a key of its own, unless one is given: the same address is a matter between runs. */
  async function planned(machineId = 'm1', atmPubkey = randomBytes(32).toString('hex')) {
    const runId = `run-${(runs += 1)}`;
    await recordRun(database, { runId, workflowId: 'w', operatorUserId: 'op', documentTypes: ['t'] });
    await planDocuments(database, { runId, operatorPubkey: KEY }, [
      {
        documentType: 't',
        machineId,
        machineName: 'M',
        atmPubkey,
        outcome: null,
        failureType: null,
        failureMessage: null,
      },
    ]);
    return { runId, documentType: 't', machineId };
  }

  const event = (id: string, createdAtS = 1_700_000_000): SealedEvent => ({
    id: id.padEnd(64, '0'),
    pubkey: KEY,
    kind: 30078,
    created_at: createdAtS,
    tags: [['d', `t:${ATM}`]],
    content: 'x',
  });

  /** Statements of one worker that are made at once go to Postgres together; those of many meet there. */
  const workers: [string, () => AttemptLedger][] = [
    ['by one worker', () => ledger],
    ['by a worker each', () => new AttemptLedger(database)],
  ];

  test.each(workers)('the first seal wins, also when twenty are written at once %s', async (_, ledgerOf) => {
    const key = await planned();
    const seals = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        ledgerOf().seal(key, { event: event(`${n}e`), stateFingerprint: `f${n}`, signature: null }),
      ),
    );
    const ids = new Set(seals.map((seal) => seal?.event?.id));
    expect(ids.size).toBe(1);
    expect((await documentsOfRun(database, key.runId))[0]?.event?.id).toBe([...ids][0]);
  });

  test('the database itself refuses another seal and another signature', async () => {
    const key = await planned();
    await ledger.seal(key, { event: event('aa'), stateFingerprint: 'f', signature: null });
    await expect(
      database.query("UPDATE republish.documents SET event_id = 'other' WHERE run_id = $1", [key.runId]),
    ).rejects.toThrow('the seal of a document is written once');
    expect(await ledger.keepSignature(key, 'first')).toMatchObject({ signature: 'first', outcome: null });
    expect(await ledger.keepSignature(key, 'second')).toMatchObject({ signature: 'first', outcome: null });
    await expect(
      database.query("UPDATE republish.documents SET signature = 'third' WHERE run_id = $1", [key.runId]),
    ).rejects.toThrow('the signature of a document is written once');
  });

  test.each(workers)(
    'no two runs seal an address at the same date, and none before the other: %s',
    async (_, ledgerOf) => {
      await database.query('DELETE FROM republish.documents');
      const keys = await Promise.all(Array.from({ length: 8 }, () => planned('m1', ATM)));
      const seals = await Promise.all(
        keys.map((key, n) =>
          ledgerOf().seal(key, { event: event(`${n}f`, 50), stateFingerprint: 'f', signature: null }),
        ),
      );
      expect(seals.filter((row) => row !== undefined)).toHaveLength(1);
      const late = await planned('m1', ATM);
      expect(
        await ledger.seal(late, { event: event('ee', 49), stateFingerprint: 'f', signature: null }),
      ).toBeUndefined();
      expect(
        await ledger.seal(late, { event: event('ee', 51), stateFingerprint: 'f', signature: null }),
      ).toBeDefined();
    },
  );

  test('a signature that comes after the audit is not kept', async () => {
    const key = await planned();
    await ledger.seal(key, {
      event: event('ab', 1_800_000_000),
      stateFingerprint: 'f',
      signature: null,
    });
    await failUnsettledDocuments(database, key.runId, { Interrupted: 'i', NotAttempted: 'n' });
    expect(await ledger.keepSignature(key, 'late')).toEqual({ signature: null, outcome: 'failed' });
  });

  async function numberOf({ runId }: { runId: string }): Promise<number> {
    const [row] = await documentsOfRun(database, runId);
    return row?.number ?? NaN;
  }

  test('each of many that are written at once is told its own', async () => {
    const keys = await Promise.all(Array.from({ length: 30 }, (_, n) => planned(`m${n}`)));
    const numbers = await Promise.all(keys.map(numberOf));
    const begun = await Promise.all([
      ledger.begin({ document: numbers[0] ?? NaN, workflowId: 'another' }),
      ledger.begin({ document: 1e15, workflowId: 'w' }),
      ...numbers.map((document) => ledger.begin({ document, workflowId: 'w' })),
    ]);
    expect(begun.map((row) => row?.runId)).toEqual([undefined, undefined, ...keys.map(({ runId }) => runId)]);

    const seals = await Promise.all(
      keys.map((key, n) =>
        ledger.seal(key, { event: event(`${n}a`), stateFingerprint: `${n}`, signature: null }),
      ),
    );
    expect(seals.map((row) => row?.stateFingerprint)).toEqual(keys.map((_, n) => `${n}`));

    const [third, fifth] = [keys[3], keys[5]];
    if (third === undefined || fifth === undefined) throw new Error('there are thirty');
    await ledger.keepSignature(third, 'earlier');
    const kept = await Promise.all(keys.map((key, n) => ledger.keepSignature(key, `s${n}`)));
    expect(kept.map((row) => row?.signature)).toEqual(keys.map((_, n) => (n === 3 ? 'earlier' : `s${n}`)));

    await ledger.settle(fifth, { outcome: 'failed', relays: {} });
    const outcomeOf = (n: number) => (n % 2 ? 'published' : 'superseded');
    const settled = await Promise.all(
      [...keys, { ...third, machineId: 'nobody' }].map((key, n) =>
        ledger.settle(key, { outcome: outcomeOf(n), relays: {}, supersededBy: `by${n}` }),
      ),
    );
    expect(settled).toEqual([...keys.map((_, n) => (n === 5 ? 'failed' : outcomeOf(n))), null]);
    const rows = await Promise.all(keys.map(async ({ runId }) => (await documentsOfRun(database, runId))[0]));
    expect(rows.map((row) => row?.supersededBy)).toEqual(keys.map((_, n) => (n === 5 ? null : `by${n}`)));
  });

  test('what Postgres refuses of one document is not the failure of those beside it', async () => {
    const keys = await Promise.all(Array.from({ length: 5 }, (_, n) => planned(`m${n}`)));
    const refused = new AttemptLedger(database);
    const seals = await Promise.allSettled(
      keys.map((key, n) =>
        refused.seal(key, {
          // No jsonb can hold a NUL.
          event: { ...event(`${n}b`), content: n === 2 ? '\u0000' : 'x' },
          stateFingerprint: 'f',
          signature: null,
        }),
      ),
    );
    expect(seals.map(({ status }) => status)).toEqual(
      keys.map((_, n) => (n === 2 ? 'rejected' : 'fulfilled')),
    );
    expect(seals[2]).toMatchObject({ reason: { type: 'DatabaseMisconfigured' } });
  });

  test('a row that somebody holds keeps nobody waiting but its own document', async () => {
    const [held, free, other] = [await planned('m1'), await planned('m2'), await planned('m3')];
    const all = [held, free, other];
    const numbers = await Promise.all(all.map(numberOf));
    const done: string[] = [];
    const told = async <T>(name: string, work: Promise<T>): Promise<T> => {
      const result = await work;
      done.push(name);
      return result;
    };
    let waiting: Promise<unknown>[] = [];
    await database.transaction(async (transaction) => {
      await transaction.query('SELECT 1 FROM republish.documents WHERE run_id = $1 FOR UPDATE', [held.runId]);
      const seals = all.map((key, n) => {
        const ofAddress = { ...event(`${n}d`), tags: [['d', `t:${n}`]] };
        const seal = { event: ofAddress, stateFingerprint: 'f', signature: null };
        return told(`seal ${n}`, ledger.seal(key, seal));
      });
      await Promise.all(seals.slice(1));
      const begins = numbers.map((document, n) =>
        told(`begin ${n}`, ledger.begin({ document, workflowId: 'w' })),
      );
      const signatures = all.map((key, n) => told(`sign ${n}`, ledger.keepSignature(key, `s${n}`)));
      const outcomes = all.map((key, n) =>
        told(`settle ${n}`, ledger.settle(key, { outcome: 'published', relays: {} })),
      );
      waiting = [...seals, ...begins, ...signatures, ...outcomes];
      await Promise.all([...begins.slice(1), ...signatures.slice(1), ...outcomes.slice(1)]);
      expect(done.filter((name) => name.endsWith(' 0'))).toEqual([]);
    });
    await Promise.all(waiting);
    const rows = await database.query(
      'SELECT outcome, attempts FROM republish.documents WHERE run_id = ANY ($1)',
      [all.map(({ runId }) => runId)],
    );
    expect(rows).toEqual(all.map(() => ({ outcome: 'published', attempts: 1 })));
  });

  test('a plan is made once, and attempts are counted', async () => {
    const key = await planned();
    await ledger.begin(key);
    await planDocuments(database, { runId: key.runId, operatorPubkey: KEY }, [
      {
        ...key,
        machineName: 'other',
        atmPubkey: null,
        outcome: 'failed',
        failureType: 'StateInvalid',
        failureMessage: 'm',
      },
    ]);
    expect(await ledger.begin(key)).toMatchObject({ machineName: 'M', outcome: null });
    const [row] = await database.query<{ attempts: number }>(
      'SELECT attempts FROM republish.documents WHERE run_id = $1',
      [key.runId],
    );
    expect(row?.attempts).toBe(2);
  });

  test('an outcome is final', async () => {
    const key = await planned();
    await ledger.settle(key, { outcome: 'published', relays: { 'ws://r': { state: 'holds' } } });
    await ledger.settle(key, { outcome: 'superseded', relays: {}, supersededBy: 'x' });
    await failDocuments(database, key.runId, [{ ...key, type: 'SignerTimeout', message: 'm' }]);
    await failUnsettledDocuments(database, key.runId, { Interrupted: 'i', NotAttempted: 'n' });
    expect((await documentsOfRun(database, key.runId))[0]).toMatchObject({
      outcome: 'published',
      supersededBy: null,
      failureType: null,
      relays: { 'ws://r': { state: 'holds' } },
    });
  });

  test('what nobody finished is Interrupted when it was begun and NotAttempted when not', async () => {
    const begun = await planned('begun');
    await ledger.begin(begun);
    const idle = await planned('idle');
    for (const { runId } of [begun, idle]) {
      await failUnsettledDocuments(database, runId, { Interrupted: 'i', NotAttempted: 'n' });
    }
    expect((await documentsOfRun(database, begun.runId))[0]).toMatchObject({
      failureType: 'Interrupted',
      failureMessage: 'i',
    });
    expect((await documentsOfRun(database, idle.runId))[0]).toMatchObject({
      failureType: 'NotAttempted',
      failureMessage: 'n',
    });
  });

  test('the newest seal of an address: the latest, and not of the run that asks', async () => {
    await database.query('DELETE FROM republish.documents');
    for (const [id, date] of [
      ['cc', 4],
      ['aa', 5],
    ] as const) {
      await ledger.seal(await planned('m1', ATM), {
        event: event(id, date),
        stateFingerprint: id,
        signature: null,
      });
    }
    const own = await planned('m1', ATM);
    await ledger.seal(own, { event: event('dd', 9), stateFingerprint: 'own', signature: null });
    const address = { operatorPubkey: KEY, documentType: 't', atmPubkey: ATM };
    expect((await newestSeal(database, address, own.runId))?.stateFingerprint).toBe('aa');
    expect(await newestSeal(database, { ...address, operatorPubkey: ATM }, own.runId)).toBeUndefined();
  });

  describe('the audit', () => {
    const row = (runId: string): AuditRow => ({
      runId,
      workflowId: 'w',
      operatorUserId: 'audited',
      operatorPubkey: KEY,
      outcome: 'complete',
      events: { 'z-type': ['1'], 'a-type': [] },
      counts: {},
      failures: [],
      skipped: [],
      superseded: [],
      laggards: [],
      interventions: [],
      failure: null,
      reason: null,
    });

    test('has one row for a run, the first one, with the document types in their order', async () => {
      const { runId } = await planned();
      await appendAudit(database, row(runId));
      await appendAudit(database, { ...row(runId), outcome: 'failed' });
      expect(await auditsOfOperator(database, 'audited', 10)).toHaveLength(1);
      const audit = await auditOfRun(database, runId);
      expect(audit?.outcome).toBe('complete');
      expect(Object.keys(audit?.events ?? {})).toEqual(['z-type', 'a-type']);
    });

    test.each([
      "UPDATE republish.audit_log SET outcome = 'failed'",
      'DELETE FROM republish.audit_log',
      'TRUNCATE republish.audit_log',
    ])('refuses %s', async (statement) => {
      const { runId } = await planned();
      await appendAudit(database, row(runId));
      await expect(database.query(statement)).rejects.toThrow('append-only');
      expect(await auditOfRun(database, runId)).toBeDefined();
    });
  });

  describe('migrations', () => {
    test('many workers at once apply them once', async () => {
      const fresh = `fresh_${process.pid}_${Date.now()}`;
      const freshUrl = await createDatabase(testServers().postgresUrl, fresh);
      const databases = Array.from({ length: 5 }, () => openDatabase({ url: freshUrl, maxConnections: 1 }));
      try {
        const reports = await Promise.all(databases.map((each) => migrate(each)));
        expect(reports.filter(({ applied }) => applied.length > 0)).toHaveLength(1);
        expect(new Set(reports.map(({ version }) => version)).size).toBe(1);
      } finally {
        await Promise.all(databases.map((each) => each.close()));
        await dropDatabase(testServers().postgresUrl, fresh);
      }
    });

    /** On a database as a release before document numbers has left it. */
    async function beforeNumbers(work: (earlier: Database) => Promise<void>): Promise<void> {
      const name = `before_${process.pid}_${Date.now()}`;
      const earlier = openDatabase({ url: await createDatabase(testServers().postgresUrl, name) });
      try {
        await migrate(earlier);
        await earlier.query('ALTER TABLE republish.documents DROP COLUMN number');
        await earlier.query('DELETE FROM republish.migrations WHERE version >= 6');
        await work(earlier);
      } finally {
        await earlier.close();
        await dropDatabase(testServers().postgresUrl, name);
      }
    }

    test('documents that were planned before there were numbers have one each', () =>
      beforeNumbers(async (earlier) => {
        await earlier.query(
          "INSERT INTO republish.runs (run_id, workflow_id, operator_user_id, document_types) VALUES ('r', 'w', 'op', '{t}')",
        );
        await earlier.query(
          `INSERT INTO republish.documents (run_id, document_type, machine_id, machine_name, operator_pubkey)
           SELECT 'r', 't', 'm' || i, 'M', '${KEY}' FROM generate_series(1, 50) AS i`,
        );
        expect((await migrate(earlier)).applied[0]).toBe('0006_document_numbers.sql');
        const numbers = (await documentsOfRun(earlier, 'r')).map(({ number }) => number);
        expect([...new Set(numbers)].filter((number) => number > 0)).toHaveLength(50);
      }));

    test('a table that somebody holds is not waited for without end, and that is said', () =>
      beforeNumbers(async (earlier) => {
        await earlier.transaction(async (client) => {
          await client.query('SELECT 1 FROM republish.documents');
          await expect(migrate(earlier, 200)).rejects.toMatchObject({
            type: 'DatabaseUnavailable',
            message: expect.stringContaining('another transaction holds what this needs'),
          });
        });
        expect((await migrate(earlier, 200)).applied).toEqual(['0006_document_numbers.sql']);
      }));

    test('a schema that is newer than this release is left alone, and the remedy is named', async () => {
      await database.query(
        "INSERT INTO republish.migrations (version, name) VALUES (9999, 'from the future')",
      );
      try {
        await expect(migrate(database)).rejects.toMatchObject({
          type: 'DatabaseMisconfigured',
          message: expect.stringContaining('run a newer release'),
        });
      } finally {
        await database.query('DELETE FROM republish.migrations WHERE version = 9999');
      }
    });
  });

  describe('errors', () => {
    test('a missing table is final; the URL is in no message', async () => {
      await expect(database.query('SELECT * FROM no_such_table')).rejects.toMatchObject({
        type: 'DatabaseMisconfigured',
        message: expect.stringContaining('42P01'),
      });
    });

    test('an unreachable server is retried, and its URL is in no message', async () => {
      const nowhere = openDatabase({ url: 'postgres://user:canary-password@127.0.0.1:9/x' });
      const error: unknown = await nowhere.query('SELECT 1').catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ type: 'DatabaseUnavailable' });
      expect(String(error)).not.toContain('canary-password');
      await nowhere.close();
    });

    test('a deadlock is run again inside', async () => {
      await database.query('CREATE TABLE IF NOT EXISTS pair (id int PRIMARY KEY, n int)');
      await database.query('INSERT INTO pair VALUES (1, 0), (2, 0) ON CONFLICT DO NOTHING');
      let arrived = 0;
      const both = (first: number, second: number) =>
        database.transaction(async (client) => {
          await client.query('UPDATE pair SET n = n + 1 WHERE id = $1', [first]);
          arrived += 1;
          for (let wait = 0; arrived < 2 && wait < 100; wait += 1)
            await new Promise((resolve) => setTimeout(resolve, 10));
          await client.query('UPDATE pair SET n = n + 1 WHERE id = $1', [second]);
        });
      await Promise.all([both(1, 2), both(2, 1)]);
      expect(arrived).toBeGreaterThan(2);
      expect(await database.query('SELECT n FROM pair ORDER BY id')).toEqual([{ n: 2 }, { n: 2 }]);
    });

    test('terminated backends end no process, and the next statement works', async () => {
      const admin = openDatabase({ url, maxConnections: 1 });
      await Promise.all(Array.from({ length: 5 }, () => database.query('SELECT pg_sleep(0.01)')));
      await admin.query(
        'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()',
      );
      await admin.close();
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(await database.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
    });
  });
});
