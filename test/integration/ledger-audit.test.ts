import { randomUUID } from 'node:crypto';
import * as fc from 'fast-check';
import { Client } from 'pg';
import {
  appendAudit,
  auditOfRun,
  auditsOfOperator,
  type AuditRow,
  unauditedRuns,
} from '../../database/audit';
import { dropDatabase } from '../../database/admin';
import { type Database, openDatabase } from '../../database/connection';
import { appendFleetAudit, auditOfFleet, recordFleet } from '../../database/fleets';
import { textWriterOf } from '../../database/free-text';
import { persistAudit } from '../../activities/persist-audit';
import { noOperators } from '../../contract/fleet';
import { writeAuditOfEndedFleet } from '../../ending/end-fleet';
import { requireItsLedger } from '../../ending/end-run';
import { close, emptyAudit, OPERATOR, plannedRun, startLedger, type TestLedger } from '../support/ledger';
import { testServers } from '../support/servers';

let ledger: TestLedger;
let db: Database;

beforeAll(async () => {
  ledger = await startLedger();
  db = ledger.database;
});
afterAll(() => ledger.stop());

const row = (runId: string): AuditRow =>
  emptyAudit({
    runId,
    operatorUserId: 'audited',
    operatorPubkey: OPERATOR,
    events: { 'z-type': ['1'], 'a-type': [] },
  });

test('an audit has one row for a run, the first one, with the document types in their order', async () => {
  const key = await plannedRun(db);
  expect((await unauditedRuns(db, 'op')).map(({ runId }) => runId)).toEqual([key.runId]);
  await close(db, key);
  await db.transaction((client) => appendAudit(client, row(key.runId)));
  await db.transaction((client) => appendAudit(client, { ...row(key.runId), outcome: 'failed' }));
  expect(await auditsOfOperator(db, 'audited', 10)).toHaveLength(1);
  const audit = await auditOfRun(db, key.runId);
  expect(audit?.outcome).toBe('complete');
  expect(Object.keys(audit?.events ?? {})).toEqual(['z-type', 'a-type']);
  expect(await unauditedRuns(db, 'op')).toEqual([]);
});

test.each(['audit_log', 'fleet_audit_log'])('republish.%s is only appended to', async (table) => {
  const { runId } = await plannedRun(db);
  await db.transaction((client) => appendAudit(client, row(runId)));
  await recordFleet(db, { runId, workflowId: 'w', request: {} });
  await db.transaction((client) =>
    appendFleetAudit(client, {
      runId,
      workflowId: 'w',
      outcome: 'complete',
      request: {},
      operators: { ...noOperators(), notBegun: 0 },
      failures: [],
      failure: null,
      reason: null,
      interventions: [],
    }),
  );
  for (const statement of [
    `UPDATE republish.${table} SET outcome = 'failed'`,
    `DELETE FROM republish.${table}`,
  ])
    await expect(db.query(statement)).rejects.toThrow(`republish.${table} is append-only`);
  await expect(db.query(`TRUNCATE republish.${table}`)).rejects.toThrow('append-only: TRUNCATE refused');
  expect(await auditOfRun(db, runId)).toMatchObject({ outcome: 'complete' });
  expect(await auditOfFleet(db, runId)).toMatchObject({ outcome: 'complete' });
});

/** NUL, both halves of a pair alone, what no encoding but UTF-8 has, and anything else. */
const anyText = fc.oneof(
  fc.constantFrom('\0', '\ud83d', '\ude00', 'a\ud83d', '\u{1f600}', '\\u0000', '\u00e9\u20ac', '"\\'),
  fc.string({ unit: 'binary', maxLength: 30 }),
);

test('the audit of a run does not fail for its free text', async () => {
  const deps = { database: db, failpoint: () => undefined, onRunEnded: () => undefined };
  await fc.assert(
    fc.asyncProperty(anyText, anyText, async (text, other) => {
      const runId = randomUUID();
      await persistAudit(deps, {
        runId,
        workflowId: 'w',
        request: { operatorUserId: 'op', reason: text },
        documentTypes: [],
        cancelled: false,
        failure: { type: 'Unexpected', message: other },
        cause: { type: 'Unexpected', message: text },
        interventions: [{ action: 'end', at: 'now', by: other, reason: text }],
      });
      const audit = await auditOfRun(db, runId);
      const written = (what: string): string => what.replace(/[\0\ud800-\udfff]/gu, '\ufffd');
      expect(audit).toMatchObject({ reason: written(text), failure: { message: written(other) } });
      expect(audit?.interventions).toMatchObject([{ by: written(other), reason: written(text) }]);
    }),
    { numRuns: 40 },
  );
});

test('nor in a database of another encoding: what that does not have is written as its number', async () => {
  const { postgresUrl } = testServers();
  const name = `latin1_${randomUUID().replaceAll('-', '')}`;
  const admin = new Client({ connectionString: postgresUrl });
  await admin.connect();
  await admin.query(
    `CREATE DATABASE ${name} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0`,
  );
  await admin.end();
  const url = new URL(postgresUrl);
  url.pathname = `/${name}`;
  const latin1 = openDatabase({ url: url.href, maxConnections: 1 });
  try {
    await latin1.query('CREATE TABLE told (plain text, structured jsonb)');
    const { text, json } = await textWriterOf(latin1);
    const told = async (value: string): Promise<unknown> =>
      (await latin1.query('INSERT INTO told VALUES ($1, $2) RETURNING *', [text(value), json({ value })]))[0];
    expect(await told('no key \u{1f600}')).toEqual({
      plain: 'no key \\u{1f600}',
      structured: { value: 'no key \\u{1f600}' },
    });
    await fc.assert(
      fc.asyncProperty(anyText, async (value) => void (await told(value))),
      { numRuns: 40 },
    );
  } finally {
    await latin1.close();
    await dropDatabase(postgresUrl, name);
  }
});

test('the audit of a fleet that was ended says what the fleet was asked', async () => {
  const request = { all: true, documentTypes: ['bitspire-fees'], reason: 'moved' };
  const runId = randomUUID();
  await recordFleet(db, { runId, workflowId: 'w', request });
  expect(await writeAuditOfEndedFleet(db, { runId, workflowId: 'w' }, { by: 'ada' })).toBe(true);
  expect(await auditOfFleet(db, runId)).toMatchObject({ outcome: 'failed', request, reason: 'moved' });
});

test('a run of which this ledger has nothing, although its workers have, is not ended here', async () => {
  const { runId } = await plannedRun(db);
  const ended = { runId, status: 'COMPLETED', progress: null };
  await requireItsLedger(db, ended);
  // Nobody has begun it, so that no ledger has it.
  await requireItsLedger(db, { runId: 'elsewhere', status: 'RUNNING', progress: null });
  const misled = { type: 'DatabaseMisconfigured' };
  await expect(requireItsLedger(db, { ...ended, runId: 'elsewhere' })).rejects.toMatchObject(misled);
  await expect(
    requireItsLedger(db, { runId: 'elsewhere', status: 'RUNNING', progress: { planned: 1 } }),
  ).rejects.toMatchObject(misled);
});
