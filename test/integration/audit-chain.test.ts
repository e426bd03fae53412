import { auditChain } from '../../database/audit';
import { runMembersHash } from '../../database/audit-chain';
import type { Database, Queryable, Transaction } from '../../database/connection';
import {
  addFleetOperators,
  fleetCounts,
  appendFleetAudit,
  recordFleet,
  recordFleetOperators,
  recordFromRuns,
} from '../../database/fleets';
import { settleGood } from '../../database/ledger/facts';
import { noOperators } from '../../contract/fleet';
import { type CheckedChain, checkAudit } from '../../inspection/audit-check';
import {
  closeWithAudit,
  good,
  OPERATOR,
  plannedRun,
  signed,
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

/** A run with a document that stands, one that was skipped and one that failed; closed, with its audit. */
async function auditedRun(operator: string): Promise<string> {
  const documents = [{}, { outcome: 'skipped', failureMessage: 'no state' } as const, {}];
  const key = await plannedRun(db, documents, OPERATOR, operator);
  await settleGood(db, key, [good(key, await signed(db, key))]);
  await closeWithAudit(db, key, operator);
  return key.runId;
}

async function checked(operator: string, on: Queryable = db): Promise<CheckedChain | undefined> {
  return (await checkAudit(on, operator))[0];
}

class RolledBack extends Error {}

/** As the owner of the database can: with the triggers out of the way. What is done is undone. */
async function tampered<T>(statement: string, values: unknown[], look: (on: Transaction) => Promise<T>) {
  let seen: T | undefined;
  const work = async (client: Transaction): Promise<void> => {
    await client.query('SET LOCAL session_replication_role = replica');
    await client.query(statement, values);
    seen = await look(client);
    throw new RolledBack();
  };
  await expect(db.transaction(work)).rejects.toThrow();
  return seen;
}

describe('three runs of an operator', () => {
  const runs: string[] = [];
  const heads: string[] = [];

  beforeAll(async () => {
    for (let run = 0; run < 3; run += 1) {
      runs.push(await auditedRun('chained'));
      heads.push((await checked('chained'))?.head ?? '');
    }
  });

  test('are one chain, whatever the session says of times and numbers; a run names its chain too', async () => {
    expect(await checked('chained')).toMatchObject({ rows: 3, head: heads[2], misfit: null });
    expect(await checked(runs[1] ?? '')).toMatchObject({ operatorUserId: 'chained', rows: 3 });
    await db.transaction(async (client) => {
      await client.query("SET LOCAL timezone = 'Asia/Kathmandu'");
      await client.query("SET LOCAL datestyle = 'SQL, DMY'");
      await client.query('SET LOCAL extra_float_digits = -15');
      expect(await checked('chained', client)).toMatchObject({ rows: 3, head: heads[2], misfit: null });
    });
  });

  test.each([
    ['row changed', 2, "UPDATE republish.audit_log SET reason = 'another' WHERE run_id = $1"],
    ['rows missing', 3, 'DELETE FROM republish.audit_log WHERE run_id = $1'],
    [
      'members changed',
      2,
      "UPDATE republish.documents SET outcome = 'unchanged' WHERE run_id = $1 AND outcome = 'published'",
    ],
    ['members changed', 2, "DELETE FROM republish.documents WHERE run_id = $1 AND outcome = 'failed'"],
    [
      'members changed',
      2,
      `INSERT INTO republish.documents (run_id, page, document_type, machine_id, machine_name, operator_pubkey, outcome)
       VALUES ($1, 0, 't', 'm', 'M', 'a', 'skipped')`,
    ],
    [
      'order changed',
      2,
      'UPDATE republish.audit_log SET position = 7 - position WHERE position > 1 AND $1 <> run_id || operator_user_id',
    ],
  ])('%s: row %d is named', async (what, position, statement) => {
    const seen = await tampered(statement, [runs[1]], (on) => checked('chained', on));
    expect(seen?.misfit).toMatchObject({ what, runId: position === 2 ? seen?.misfit?.runId : runs[2] });
    expect(seen?.rows).toBe(1);
  });

  test('every column is held but the id, the time of the close, and the event, of which the event id is the hash', async () => {
    const columns = await db.query<{ table: string; column: string; type: string }>(
      `SELECT table_name AS table, column_name AS column, data_type AS type FROM information_schema.columns
        WHERE table_schema = 'republish' AND table_name IN ('audit_log', 'documents', 'runs')
          AND column_name NOT IN ('id', 'unsigned_event', 'closed_at')`,
    );
    expect(columns.length).toBeGreaterThan(50);
    const another = (column: string, type: string): string => {
      if (type === 'json' || type === 'jsonb') return `'{"another": 1}'`;
      if (type === 'ARRAY') return `ARRAY['another']`;
      if (type === 'boolean') return `NOT ${column}`;
      if (type.startsWith('timestamp')) return `coalesce(${column}, now()) + interval '1 second'`;
      if (type === 'text') return `'another'`;
      return `coalesce(${column}, 0) + 100`;
    };
    // Keys and checks are no hindrance to an owner.
    const free = async (on: Queryable): Promise<void> => {
      const constraints = await on.query<{ statement: string }>(
        `SELECT format('ALTER TABLE %s DROP CONSTRAINT %I CASCADE', conrelid::regclass, conname) AS statement
           FROM pg_constraint WHERE conrelid IN ('republish.audit_log'::regclass, 'republish.documents'::regclass)
            AND contype IN ('c', 'f', 'u')`,
      );
      for (const { statement } of constraints) await on.query(statement);
    };
    for (const { table, column, type } of columns) {
      const which = table !== 'documents' ? '' : "AND outcome = 'published'";
      const seen = await tampered('SELECT', [], async (on) => {
        await free(on);
        await on.query(
          `UPDATE republish.${table} SET ${column} = ${another(column, type)} WHERE run_id = $1 ${which}`,
          [runs[2]],
        );
        return checked('chained', on);
      });
      expect([column, seen?.misfit !== null]).toEqual([column, true]);
    }
  });

  test('the last row cut off is missed as long as the run is there; then only a head that was kept shows it', async () => {
    await tampered('DELETE FROM republish.audit_log WHERE run_id = $1', [runs[2]], async (on) => {
      const [missing] = await checkAudit(on, 'chained');
      expect(missing?.misfit).toMatchObject({ what: 'row missing', runId: runs[2] });
      await on.query('UPDATE republish.runs SET closed_at = NULL WHERE run_id = $1', [runs[2]]);
      expect(await checked('chained', on)).toMatchObject({ rows: 2, head: heads[1], misfit: null });
      const [sought] = await checkAudit(on, 'chained', heads[2]);
      expect(sought).toMatchObject({ misfit: null, kept: null });
    });
    const [all] = await checkAudit(db, 'chained', heads[1]);
    expect(all?.kept).toMatchObject({ position: 2, runId: runs[1] });
  });
});

test('runs of one operator that are closed at the same moment make one chain', async () => {
  const keys = await Promise.all(Array.from({ length: 8 }, () => plannedRun(db, [{}], OPERATOR, 'at once')));
  await Promise.all(keys.map((key) => closeWithAudit(db, key, 'at once')));
  expect(await checked('at once')).toMatchObject({ rows: 8, misfit: null });
  expect((await auditChain(db, 'at once', { offset: 0, limit: 10 })).map(({ position }) => position)).toEqual(
    [1, 2, 3, 4, 5, 6, 7, 8],
  );
});

test('fleets are a chain of their own, which holds what became of each operator', async () => {
  for (const runId of ['fleet-1', 'fleet-2'])
    await db.transaction(async (client) => {
      await recordFleet(client, { runId, workflowId: 'w', request: {} });
      await addFleetOperators(client, runId, ['ann', 'bea']);
      await recordFleetOperators(client, runId, [{ operatorUserId: 'ann', runId: 'r', outcome: 'complete' }]);
      await appendFleetAudit(client, {
        runId,
        workflowId: 'w',
        outcome: 'incomplete',
        request: {},
        operators: { ...noOperators(), complete: 1, notBegun: 1 },
        failures: [],
        failure: null,
        reason: null,
        interventions: [],
      });
    });
  const fleets = async (on: Queryable = db) =>
    (await checkAudit(on)).find(({ operatorUserId }) => operatorUserId === null);
  expect(await fleets()).toMatchObject({ rows: 2, misfit: null });
  // An operator whose turn never came says nothing of the fleet; a late attempt may still add one.
  await addFleetOperators(db, 'fleet-1', ['cyd']);
  expect(await fleets()).toMatchObject({ rows: 2, misfit: null });
  // A worker comes back to a fleet that somebody has ended: what it writes late would look like tampering.
  const late = [{ operatorUserId: 'bea', runId: 'late', outcome: 'complete' as const }];
  await db.transaction((client) => recordFleetOperators(client, 'fleet-1', late));
  const bea = await plannedRun(db, [{}], OPERATOR, 'bea');
  await closeWithAudit(db, bea, 'bea');
  await db.transaction((client) => recordFromRuns(client, 'fleet-1', []));
  expect(await fleetCounts(db, 'fleet-1')).toMatchObject({ complete: 1, notBegun: 2 });
  expect(await fleets()).toMatchObject({ rows: 2, misfit: null });
  const seen = await tampered(
    "UPDATE republish.fleet_operators SET outcome = 'failed' WHERE run_id = $1 AND outcome IS NOT NULL",
    ['fleet-1'],
    fleets,
  );
  expect(seen?.misfit).toMatchObject({ what: 'members changed', runId: 'fleet-1', position: 1 });
  const asked = `UPDATE republish.fleets SET request = '{"all": true}' WHERE run_id = $1`;
  expect(await tampered(asked, ['fleet-1'], fleets)).toMatchObject({
    misfit: { what: 'members changed', runId: 'fleet-1' },
  });
  // The last row was removed: the fleet is closed, so it must have one.
  const cut = await tampered('DELETE FROM republish.fleet_audit_log WHERE run_id = $1', ['fleet-2'], fleets);
  expect(cut).toMatchObject({ rows: 1, misfit: { what: 'row missing', runId: 'fleet-2', position: null } });
  await recordFleet(db, { runId: 'fleet-3', workflowId: 'w', request: {} });
  expect(await fleets()).toMatchObject({ rows: 2, misfit: null });
  for (const statement of [
    "UPDATE republish.fleets SET closed_at = NULL WHERE run_id = 'fleet-1'",
    "DELETE FROM republish.fleets WHERE run_id = 'fleet-1'",
  ])
    await expect(db.query(statement)).rejects.toThrow('a closed fleet stays as it is');
});

test('of a run of any size, a thousand documents are in memory at once', async () => {
  const { runId } = await plannedRun(db, [{}], OPERATOR, 'large');
  await db.query(
    `INSERT INTO republish.documents (run_id, page, document_type, machine_id, machine_name, operator_pubkey, outcome)
     SELECT $1, 0, 'bitspire-fees', 'x' || n, 'M', 'a', 'skipped' FROM generate_series(1, 2499) AS n`,
    [runId],
  );
  const read: number[] = [];
  const counting: Queryable = {
    query: async (text, values) => {
      const rows = await db.query(text, values);
      read.push(rows.length);
      return rows as never;
    },
  };
  await runMembersHash(counting, runId);
  expect(read.reduce((sum, rows) => sum + rows, 0)).toBe(2_501);
  expect(Math.max(...read)).toBe(1_000);
  await closeWithAudit(db, { runId }, 'large');
  expect(await checked('large')).toMatchObject({ rows: 1, misfit: null });
});
