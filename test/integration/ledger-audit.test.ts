import {
  appendAudit,
  auditOfRun,
  auditsOfOperator,
  type AuditRow,
  unauditedRuns,
} from '../../database/audit';
import type { Database } from '../../database/connection';
import { appendFleetAudit, auditOfFleet, recordFleet } from '../../database/fleets';
import { noOperators } from '../../contract/fleet';
import { close, emptyAudit, OPERATOR, plannedRun, startLedger, type TestLedger } from '../support/ledger';

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
  await appendAudit(db, row(key.runId));
  await appendAudit(db, { ...row(key.runId), outcome: 'failed' });
  expect(await auditsOfOperator(db, 'audited', 10)).toHaveLength(1);
  const audit = await auditOfRun(db, key.runId);
  expect(audit?.outcome).toBe('complete');
  expect(Object.keys(audit?.events ?? {})).toEqual(['z-type', 'a-type']);
  expect(await unauditedRuns(db, 'op')).toEqual([]);
});

test.each(['audit_log', 'fleet_audit_log'])('republish.%s is only appended to', async (table) => {
  const { runId } = await plannedRun(db);
  await appendAudit(db, row(runId));
  await recordFleet(db, { runId, workflowId: 'w', request: {} });
  await appendFleetAudit(db, {
    runId,
    workflowId: 'w',
    outcome: 'complete',
    request: {},
    operators: { ...noOperators(), notBegun: 0 },
    failures: [],
    failure: null,
    reason: null,
    interventions: [],
  });
  for (const statement of [
    `UPDATE republish.${table} SET outcome = 'failed'`,
    `DELETE FROM republish.${table}`,
  ])
    await expect(db.query(statement)).rejects.toThrow(`republish.${table} is append-only`);
  await expect(db.query(`TRUNCATE republish.${table}`)).rejects.toThrow('append-only: TRUNCATE refused');
  expect(await auditOfRun(db, runId)).toMatchObject({ outcome: 'complete' });
  expect(await auditOfFleet(db, runId)).toMatchObject({ outcome: 'complete' });
});
