import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type Database, openDatabase } from '../../database/connection';
import { noteSent, settleGood } from '../../database/ledger/facts';
import { planBadRowsAgain, retryDocuments, skipDocuments } from '../../database/ledger/interventions';
import { keepProof } from '../../database/ledger/proofs';
import { beginSweep, settleSwept } from '../../database/ledger/sweep';
import { noteTrouble } from '../../database/ledger/trouble';
import { clearTrouble, ledgerView } from '../../database/ledger/view';
import {
  attempt,
  close,
  good,
  type Key,
  planned,
  plannedRun,
  signed,
  startLedger,
  type TestLedger,
  endPage,
} from '../support/ledger';

/**
 * The ledger as a login writes it that has the rights of `republish_worker` and no others. Roles are the
 * cluster's, and other files make them too: here they have names of their own.
 */
const id = randomBytes(6).toString('hex');
const RIGHTS = readFileSync(path.resolve(__dirname, '../../database/rights.sql'), 'utf8').replaceAll(
  /republish_(worker|pairing|inspector|migrator)/g,
  `$1_${id}`,
);
const ROLES = ['worker', 'pairing', 'inspector', 'migrator'].map((role) => `${role}_${id}`).join(', ');
const LOGIN = `login_${id}`;

let ledger: TestLedger;
let worker: Database;
let closed: Key;

beforeAll(async () => {
  ledger = await startLedger();
  await ledger.database.query(RIGHTS);
  await ledger.database.query(`CREATE ROLE ${LOGIN} LOGIN PASSWORD '${LOGIN}' IN ROLE worker_${id}`);
  const url = new URL(ledger.url);
  url.username = LOGIN;
  url.password = LOGIN;
  worker = openDatabase({ url: url.href, maxConnections: 2 });
});
afterAll(async () => {
  await worker.close();
  await ledger.database.query(`DROP OWNED BY ${ROLES}`);
  await ledger.database.query(`DROP ROLE ${LOGIN}, ${ROLES}`);
  await ledger.stop();
});

test('needs no other rights, from the plan to the close', async () => {
  const key = await plannedRun(worker, [{}, {}, { outcome: 'failed', failureType: 'StateInvalid' }]);
  const { runId, documentType } = key;
  await keepProof(worker, runId, 'local a');
  await planBadRowsAgain(worker, runId, [planned({ machineId: 'm3' })]);
  const event = await signed(worker, key);
  await noteSent(worker, key, ['m1']);
  const trouble = { machineId: 'm2', type: 'SignerTimeout', message: 'm', final: true } as const;
  await noteTrouble(worker, await attempt(worker, key), [trouble]);
  await settleGood(worker, key, [good(key, event)]);
  expect(await retryDocuments(worker, runId, {})).toBe(0);
  await clearTrouble(worker, runId);
  await endPage(worker, key, { type: 'ActivityTimeout', message: 'm' });
  expect(await skipDocuments(worker, runId, { machineId: 'm3' }, 'given up')).toBe(1);
  const sweep = await beginSweep(worker, runId);
  const lost = { type: 'DocumentLost', message: 'm', outcome: 'failed' } as const;
  await settleSwept(worker, { runId, sweep }, [
    { documentType, machineId: 'm1', eventId: event.id, ...lost },
  ]);
  await close(worker, key);
  expect(await ledgerView(worker, runId)).toMatchObject({
    pages: [],
    counts: { [documentType]: { failed: 2, skipped: 1, signed: 1 } },
  });
  closed = key;
});

test.each([
  "UPDATE republish.documents SET outcome = 'published' WHERE run_id = $1 AND machine_id = 'm1'",
  'UPDATE republish.documents SET relays = relays WHERE run_id = $1',
  'UPDATE republish.pages SET holder = holder + 1 WHERE run_id = $1',
  "INSERT INTO republish.pages (run_id, page, document_type) VALUES ($1, 7, 't')",
  "INSERT INTO republish.signer_proofs (run_id, signer) VALUES ($1, 'late')",
  'UPDATE republish.runs SET closed_at = NULL WHERE run_id = $1',
])('changes nothing of a closed run: %s', async (statement) => {
  await expect(worker.query(statement, [closed.runId])).rejects.toThrow(/P0001.*closed/);
});

test.each([
  'DELETE FROM republish.documents',
  'DELETE FROM republish.pages',
  'DELETE FROM republish.signer_proofs',
  'DELETE FROM republish.runs',
  'TRUNCATE republish.documents',
  "UPDATE republish.runs SET operator_user_id = 'another'",
  "UPDATE republish.pages SET document_type = 'another'",
  "UPDATE republish.signer_proofs SET signer = 'another'",
  'ALTER TABLE republish.documents DISABLE TRIGGER keep_rules',
  'DROP TRIGGER frozen_update ON republish.documents',
  'SET session_replication_role = replica',
])('may not %s', async (statement) => {
  await expect(worker.query(statement)).rejects.toThrow('42501');
});
