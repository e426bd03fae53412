import { randomUUID } from 'node:crypto';
import * as fc from 'fast-check';
import {
  appendAudit,
  auditOfRun,
  auditsOfOperator,
  type AuditRow,
  unauditedRuns,
} from '../../database/audit';
import { type Database } from '../../database/connection';
import {
  addFleetOperators,
  appendFleetAudit,
  auditOfFleet,
  fleetCounts,
  recordFleet,
  runsLeftBehind,
} from '../../database/fleets';
import { persistAudit } from '../../activities/persist-audit';
import { type FleetInput, noOperators } from '../../contract/fleet';
import type { RepublishInput } from '../../contract/input';
import { writeAuditOfEndedFleet } from '../../ending/end-fleet';
import { requireItsLedger } from '../../ending/end-run';
import { reportedOperators } from '../../database/fleet-report';
import { openRun } from '../../database/ledger/runs';
import {
  close,
  closeWithAudit,
  emptyAudit,
  OPERATOR,
  plannedRun,
  startLedger,
  type TestLedger,
} from '../support/ledger';

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

test('the audit of a fleet that was ended says what the fleet was asked', async () => {
  const request = { all: true, documentTypes: ['bitspire-fees'], reason: 'moved' };
  const runId = randomUUID();
  await recordFleet(db, { runId, workflowId: 'w', request });
  expect(await writeAuditOfEndedFleet(db, { runId, workflowId: 'w' }, { by: 'ada' })).toBe(true);
  expect(await auditOfFleet(db, runId)).toMatchObject({ outcome: 'failed', request, reason: 'moved' });
});

describe('an ended fleet counts only runs of its request', () => {
  const fleet: FleetInput = { onFailure: 'hold', documentTypes: ['a', 'b'], reason: 'moved' };
  const asked: Omit<RepublishInput, 'operatorUserId'> = { onFailure: 'hold', documentTypes: ['b', 'a'] };

  async function begunRun(
    operator: string,
    request: Omit<RepublishInput, 'operatorUserId'>,
  ): Promise<string> {
    const runId = `run-${randomUUID()}`;
    const documentTypes = ['a', 'b'];
    const opened = { runId, workflowId: 'w', documentTypes };
    await openRun(db, { ...opened, request: { operatorUserId: operator, ...request } });
    return runId;
  }

  /** Each operator has the runs of one row: `ended` runs have an audit row, the last one is the newest. */
  const CASES: Record<string, { ended?: object[]; open?: object[]; begun?: true; counts: string }> = {
    'a run of the request': { ended: [asked], counts: 'complete' },
    'a run of one machine': { ended: [{ ...asked, machineIds: ['m1'] }], counts: 'notBegun' },
    'the same request and then another one': {
      ended: [asked, { ...asked, force: true }],
      counts: 'complete',
    },
    'a run that continues': { open: [asked], counts: 'running' },
    'a run of another request that continues': { open: [{}], counts: 'notBegun' },
    'a run that no worker took': { begun: true, counts: 'running' },
    'one run that ended, and a later one that Temporal has': {
      ended: [asked],
      begun: true,
      counts: 'running',
    },
    nothing: { counts: 'notBegun' },
  };

  test.each(Object.entries(CASES))('%s', async (_, { ended = [], open = [], begun, counts }) => {
    const [runId, operator] = [randomUUID(), `op-${randomUUID()}`];
    // A run of an earlier fleet tells nothing of this one.
    await closeWithAudit(db, { runId: await begunRun(operator, asked) }, operator);
    await begunRun(operator, asked);
    await recordFleet(db, { runId, workflowId: 'w', request: fleet });
    await addFleetOperators(db, runId, [operator]);
    for (const request of ended) {
      await closeWithAudit(db, { runId: await begunRun(operator, request) }, operator);
    }
    for (const request of open) await begunRun(operator, request);
    const runs = begun ? [{ operatorUserId: operator, runId: 'in Temporal' }] : [];
    await writeAuditOfEndedFleet(db, { runId, workflowId: 'w', begun: runs }, { by: 'ada' });
    const expected = { ...noOperators(), notBegun: 0, [counts]: 1 };
    expect(await fleetCounts(db, runId)).toEqual(expected);
    expect(await auditOfFleet(db, runId)).toMatchObject({ operators: expected, failures: [] });
    expect(await runsLeftBehind(db, runId)).toHaveLength(counts === 'running' ? 1 : 0);
  });

  test('the report names the outcome of a run that ended after the fleet', async () => {
    const [runId, operator] = [randomUUID(), `op-${randomUUID()}`];
    await recordFleet(db, { runId, workflowId: 'w', request: fleet });
    await addFleetOperators(db, runId, [operator]);
    const run = await begunRun(operator, asked);
    await writeAuditOfEndedFleet(db, { runId, workflowId: 'w' }, {});
    const reported = () => reportedOperators(db, { runId, maxFailures: 1 });
    expect(await reported()).toMatchObject([{ operatorUserId: operator, runId: run, outcome: null }]);
    await closeWithAudit(db, { runId: run }, operator);
    // Another run is none of the fleet's.
    await begunRun(operator, asked);
    expect(await reported()).toMatchObject([{ operatorUserId: operator, runId: run, outcome: 'complete' }]);
  });
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
