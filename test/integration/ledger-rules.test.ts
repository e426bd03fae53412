import { OUTCOMES, type Outcome } from '../../contract/progress';
import { appendAudit } from '../../database/audit';
import { retryDocuments, skipDocuments } from '../../database/ledger/interventions';
import { keepProof } from '../../database/ledger/proofs';
import { beginSweep } from '../../database/ledger/sweep';
import {
  emptyAudit,
  attempt,
  close,
  hex32,
  type Key,
  plannedRun,
  reused,
  rowOf,
  sealedEvent,
  signed,
  startLedger,
  type TestLedger,
} from '../support/ledger';

/**
 * What the database itself refuses to everybody: here to its owner, a superuser, with SQL of their own.
 */
let ledger: TestLedger;

beforeAll(async () => {
  ledger = await startLedger();
});
afterAll(() => ledger.stop());

const update = (key: Key, set: string, values: unknown[] = []) =>
  ledger.database.query(
    `UPDATE republish.documents SET ${set} WHERE run_id = '${key.runId}' AND machine_id = '${key.machineId}' RETURNING 1`,
    values,
  );

type State = Outcome | 'open';

/** The rules of design.md. */
const MAY_BECOME: Record<State, State[]> = {
  open: [...OUTCOMES],
  published: ['failed', 'superseded'],
  unchanged: ['failed', 'superseded'],
  superseded: ['failed'],
  failed: ['open', 'published', 'unchanged', 'superseded', 'skipped'],
  skipped: [],
};

const STATES: State[] = ['open', ...OUTCOMES];
const PAIRS = STATES.flatMap((from) =>
  STATES.map((to) => ({ from, to, verdict: from === to || MAY_BECOME[from].includes(to) ? 'may' : 'never' })),
);

const settle = (key: Key, outcome: State, by = 0) =>
  update(key, "outcome = $1, failure_type = CASE WHEN $1 = 'failed' THEN 'Unexpected' END, written_by = $2", [
    outcome === 'open' ? null : outcome,
    by,
  ]);

test.each(PAIRS)('$from $verdict become $to', async ({ from, to, verdict }) => {
  const key = await plannedRun(ledger.database);
  await signed(ledger.database, key);
  await settle(key, from);
  const change = settle(key, to);
  if (verdict === 'may') await expect(change).resolves.toHaveLength(1);
  else await expect(change).rejects.toThrow(`${from} does not become ${to}`);
  expect((await rowOf(ledger.database, key)).outcome ?? 'open').toBe(verdict === 'may' ? to : from);
});

describe('a seal', () => {
  const other = (): string => `event_id = '${hex32()}'`;

  test.each([
    ['event id', `${other()}, signature = NULL`],
    ['date', 'created_at_s = created_at_s + 1'],
    ['event', `unsigned_event = unsigned_event || '{"content": "y"}'`],
    ['fingerprint', "state_fingerprint = 'g'"],
    ['mark that it is reused', 'reused = NOT reused'],
    ['mark that it is sealed anew', 'resealed = NOT resealed'],
  ])('keeps its %s', async (_, set) => {
    const key = await plannedRun(ledger.database);
    await signed(ledger.database, key);
    await expect(update(key, set)).rejects.toThrow('the seal of a document is written once');
  });

  test('that is reused is replaced once, with another event and without its signature', async () => {
    const key = await plannedRun(ledger.database);
    await reused(ledger.database, key);
    await expect(update(key, `${other()}, reused = false, signature = NULL`)).rejects.toThrow('written once');
    await expect(update(key, 'resealed = true, reused = false, signature = NULL')).rejects.toThrow(
      'written once',
    );
    const anew = `${other()}, resealed = true, reused = false`;
    await expect(update(key, anew)).rejects.toThrow('a signature belongs to one event');
    await update(key, `${anew}, signature = NULL`);
    await update(key, "signature = 'its own'");
    await expect(update(key, `${other()}, signature = NULL`)).rejects.toThrow('written once');
    await expect(update(key, 'reused = true')).rejects.toThrow('written once');
  });

  test.each(OUTCOMES)('and a signature are not written after the outcome %s', async (outcome) => {
    const key = await plannedRun(ledger.database);
    await reused(ledger.database, key);
    await settle(key, outcome);
    await expect(
      update(key, `${other()}, resealed = true, reused = false, signature = NULL`),
    ).rejects.toThrow(/only an open document is s/);
    await expect(update(key, "signature = 'another'")).rejects.toThrow('only an open document is signed');
  });

  test('has one signature, and a signature has a seal', async () => {
    const key = await plannedRun(ledger.database);
    await expect(update(key, "signature = 's'")).rejects.toThrow('23514');
    await signed(ledger.database, key);
    await expect(update(key, "signature = 'another'")).rejects.toThrow(
      'the signature of a document is written once',
    );
    await expect(update(key, 'signature = NULL')).rejects.toThrow('written once');
  });
});

describe('a failure', () => {
  test.each([
    ['a failure', "outcome = 'failed', failure_type = 'SignerTimeout'"],
    ['trouble', "tries = tries + 1, failure_type = 'SignerTimeout'"],
    ['another message', "failure_message = 'worse'"],
  ])('%s is written by the holder of the page only', async (_, set) => {
    const key = await plannedRun(ledger.database);
    const { holder } = await attempt(ledger.database, key);
    await update(key, `tries = 1, failure_type = 'SignerBusy', written_by = ${holder}`);
    await attempt(ledger.database, key);
    await expect(update(key, set)).rejects.toThrow(`only the holder of the page (2) writes a failure, not 1`);
    await expect(update(key, `${set}, written_by = NULL`)).rejects.toThrow('not somebody');
    await update(key, `${set}, written_by = ${holder + 1}`);
  });

  test.each(['published', 'unchanged', 'superseded'] as const)(
    'of a document that is %s is said by the newest sweep only',
    async (outcome) => {
      const key = await plannedRun(ledger.database);
      await signed(ledger.database, key);
      const { holder } = await attempt(ledger.database, key);
      await settle(key, outcome);
      await beginSweep(ledger.database, key.runId);
      await beginSweep(ledger.database, key.runId);
      await expect(settle(key, 'failed', holder)).rejects.toThrow('only the newest sweep (2) says');
      await settle(key, 'failed', 2);
    },
  );

  test('has a type', async () => {
    const key = await plannedRun(ledger.database);
    await expect(update(key, "outcome = 'failed', written_by = 0")).rejects.toThrow('23514');
  });

  test('that is cleared is nobody’s matter', async () => {
    const key = await plannedRun(ledger.database);
    const { holder } = await attempt(ledger.database, key);
    await update(key, `tries = 2, failure_type = 'SignerBusy', written_by = ${holder}`);
    await attempt(ledger.database, key);
    await update(key, 'tries = 0, failure_type = NULL');
  });
});

test.each([
  ["run_id = 'r'"],
  ['page = page + 1'],
  ["document_type = 'other'"],
  ["machine_id = 'm9'"],
  ["operator_pubkey = 'b'"],
])('a document keeps its place: %s', async (set) => {
  const key = await plannedRun(ledger.database);
  await expect(update(key, set)).rejects.toThrow('a document keeps its place');
});

test('numbers only rise', async () => {
  const { runId } = await plannedRun(ledger.database);
  await expect(
    ledger.database.query('UPDATE republish.pages SET holder = holder - 1 WHERE run_id = $1', [runId]),
  ).rejects.toThrow('the holder of a page only rises');
  await expect(
    ledger.database.query('UPDATE republish.runs SET sweeps = sweeps - 1 WHERE run_id = $1', [runId]),
  ).rejects.toThrow('the number of sweeps only rises');
});

describe('a closed run', () => {
  let runId: string;

  beforeAll(async () => {
    const key = await plannedRun(ledger.database, [{}, {}]);
    await signed(ledger.database, key);
    await keepProof(ledger.database, key.runId, 'bunker x y');
    await close(ledger.database, key);
    // The audit row may be written with the close, or be there before.
    await ledger.database.transaction((client) => appendAudit(client, emptyAudit({ runId: key.runId })));
    ({ runId } = key);
  });

  test.each([
    "UPDATE republish.documents SET outcome = 'superseded' WHERE run_id = $1 AND signature IS NOT NULL",
    'UPDATE republish.documents SET sent_at = now() WHERE run_id = $1',
    'UPDATE republish.pages SET holder = holder + 1 WHERE run_id = $1',
    `INSERT INTO republish.documents (run_id, page, document_type, machine_id, machine_name, operator_pubkey)
     VALUES ($1, 0, 't', 'late', 'late', 'a')`,
    "INSERT INTO republish.pages (run_id, page, document_type) VALUES ($1, 7, 't')",
    "INSERT INTO republish.signer_proofs (run_id, signer) VALUES ($1, 'late')",
    'DELETE FROM republish.documents WHERE run_id = $1',
    'DELETE FROM republish.signer_proofs WHERE run_id = $1',
  ])('refuses %s', async (statement) => {
    const before = await contents();
    await expect(ledger.database.query(statement, [runId])).rejects.toThrow(`run ${runId} is closed`);
    expect(await contents()).toEqual(before);
  });

  test.each([
    'UPDATE republish.runs SET closed_at = NULL WHERE run_id = $1',
    'UPDATE republish.runs SET sweeps = sweeps + 1 WHERE run_id = $1',
    'DELETE FROM republish.runs WHERE run_id = $1',
  ])('refuses %s', async (statement) => {
    await expect(ledger.database.query(statement, [runId])).rejects.toThrow('a closed run stays as it is');
  });

  test.each(['documents', 'documents, republish.pages', 'signer_proofs'])(
    'refuses TRUNCATE republish.%s',
    async (tables) => {
      await expect(ledger.database.query(`TRUNCATE republish.${tables}`)).rejects.toThrow(
        'there are closed runs',
      );
    },
  );

  test('is left as it is by retry and skip, and a sweep is told', async () => {
    const before = await contents();
    expect(await retryDocuments(ledger.database, runId, {})).toBe(0);
    expect(await skipDocuments(ledger.database, runId, {}, 'm')).toBe(0);
    await expect(beginSweep(ledger.database, runId)).rejects.toMatchObject({ type: 'NotAttempted' });
    expect(await contents()).toEqual(before);
  });

  test('has no open documents', async () => {
    const open = await plannedRun(ledger.database);
    await expect(
      ledger.database.query('UPDATE republish.runs SET closed_at = now() WHERE run_id = $1', [open.runId]),
    ).rejects.toThrow('has open documents');
  });

  async function contents(): Promise<unknown> {
    const rows = await ledger.database.query<{ row: string }>(
      `SELECT d::text AS row FROM republish.documents AS d WHERE run_id = $1
       UNION ALL SELECT p::text FROM republish.pages AS p WHERE run_id = $1
       UNION ALL SELECT s::text FROM republish.signer_proofs AS s WHERE run_id = $1
       UNION ALL SELECT r::text FROM republish.runs AS r WHERE run_id = $1 ORDER BY 1`,
      [runId],
    );
    expect(rows).toHaveLength(5);
    return rows;
  }
});

test('what belongs to an open run may still be deleted, as by whoever restores a database', async () => {
  const key = await plannedRun(ledger.database, [{}, {}]);
  await ledger.database.query("DELETE FROM republish.documents WHERE run_id = $1 AND machine_id = 'm2'", [
    key.runId,
  ]);
  expect(await rowOf(ledger.database, key)).toMatchObject({ machineId: 'm1', event: null });
  expect(await signed(ledger.database, key, sealedEvent())).toBeDefined();
});
