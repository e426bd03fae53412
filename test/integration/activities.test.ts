import { randomUUID } from 'node:crypto';
import { ApplicationFailure } from '@temporalio/common';
import { contentOf } from '../../rules/page-numbers';
import { unpackEvents } from '../../workflows/event-ids';
import { type ActivityBench, startActivities } from '../support/activities';
import { fails } from '../support/fails';
import { type Saga, startSaga } from '../support/saga';

const TYPES = ['bitspire-cassettes', 'bitspire-fees'];

/**
 * What opens, proves and closes a run, each activity by itself on the real parts. The pages: see
 * pages.test.ts.
 */
describe('activities around the pages', () => {
  let saga: Saga;
  let bench: ActivityBench;

  beforeAll(async () => {
    saga = await startSaga({ relays: 3 });
    // Each activity has one try: a slow machine must not end it for another reason.
    const env = { REPUBLISH_RELAY_TIMEOUT_MS: '20000', REPUBLISH_BUNKER_TIMEOUT_MS: '30000' };
    bench = startActivities(saga, { env: { ...env, REPUBLISH_DOCUMENTS_PER_PAGE: '2' } });
  });
  afterAll(() => saga.stop());

  test('loadMachines opens the run, says whose key and which types, and asks the bunker nothing', async () => {
    const { id, bunker } = await saga.addOperator({ machines: 1 });
    const asked = bunker.requests.length;
    const { runId, loaded } = await bench.plan(
      { id },
      { documentTypes: ['bitspire-fees'] },
      { prove: false },
    );
    expect(loaded).toMatchObject({
      opened: {
        operatorPubkey: bunker.userPubkey,
        documentTypes: ['bitspire-fees'],
        limits: { documentsPerPage: 2 },
      },
      pages: [[0, { open: 1 }]],
      machines: 1,
      toSign: 1,
      failures: [],
    });
    expect(loaded.next).toBeUndefined();
    expect(bunker.requests.length).toBe(asked);
    expect(
      await saga.database.query('SELECT operator_user_id AS id FROM republish.runs WHERE run_id = $1', [
        runId,
      ]),
    ).toEqual([{ id }]);
  });

  test('pages are blocks of machines in the order of their ids, one for each document type', async () => {
    const operator = await saga.addOperator({ machines: 23 });
    const runId = randomUUID();
    const request = { operatorUserId: operator.id };
    const first = await bench.call('loadMachines', { runId, request });
    expect(first.machines).toBe(20);
    const second = await bench.call('loadMachines', { runId, request, after: first.next ?? fail() });
    expect(second).toMatchObject({ machines: 23, toSign: 6 });
    expect(second.next).toBeUndefined();
    const pages = [...first.pages, ...second.pages];
    expect(pages.map(([page]) => page)).toEqual(Array.from({ length: 24 }, (_, page) => page));
    const rows = await saga.ledger(runId);
    for (const [page] of pages) {
      const { documentType, from, to } = contentOf(first.opened, page, 23);
      const ofPage = rows.filter((row) => row.page === page);
      expect(ofPage.map(({ machineId }) => machineId)).toEqual(
        operator.machines.slice(from - 1, to).map(({ id }) => id),
      );
      expect(new Set(ofPage.map((row) => row.documentType))).toEqual(new Set([documentType]));
    }
  });

  test('loadMachines names all bad rows, and its result holds no state', async () => {
    const operator = await saga.addOperator({ machines: 3 });
    const [first, second, third] = operator.machines.map(({ id }) => id);
    await saga.database.query(
      'UPDATE spirekeeper.dca_machines SET operator_cash_in_fee_fraction = 0.4962 WHERE id = $1',
      [first],
    );
    await saga.database.query("UPDATE spirekeeper.dca_machines SET machine_npub = 'zz' WHERE id = $1", [
      second,
    ]);
    await saga.database.query('DELETE FROM spirekeeper.cassette_configs WHERE machine_id = $1', [third]);
    const { loaded } = await bench.plan(operator, {}, { prove: false });
    expect(loaded.failures.map(({ type }) => type).sort()).toEqual([
      'MachineKeyInvalid',
      'MachineKeyInvalid',
      'StateInvalid',
    ]);
    expect(loaded.pages).toEqual([
      [0, { open: 1, failed: 1 }],
      [1, { failed: 2 }],
      [2, { skipped: 1 }],
      [3, { open: 1 }],
    ]);
    expect(JSON.stringify(loaded)).not.toMatch(/4962|denomination|components/);
  });

  test('loadMachines a second time gives what is left, not what was read', async () => {
    const operator = await saga.addOperator({ machines: 2 });
    const { runId } = await bench.plan(operator);
    await bench.call('republishDocuments', { runId, page: 1 });
    const again = await bench.call('loadMachines', { runId, request: { operatorUserId: operator.id } });
    expect(again.pages).toEqual([
      [0, { open: 2 }],
      [1, { published: 2, encrypted: 2, signed: 2, sent: 2, standing: 2 }],
    ]);
  });

  test('proveSigner compares what the bunker says now, and keeps its proof', async () => {
    const operator = await saga.addOperator({ machines: 1 });
    const { runId } = await bench.plan(operator);
    expect(
      await saga.database.query('SELECT signer FROM republish.signer_proofs WHERE run_id = $1', [runId]),
    ).toEqual([{ signer: expect.stringMatching(/^bunker [0-9a-f]{64} [0-9a-f]{64}$/) }]);
    operator.bunker.setFaults(() => ({ reportPubkey: 'd'.repeat(64) }));
    const failure = await fails(ApplicationFailure, bench.call('proveSigner', { runId }));
    expect(failure).toMatchObject({ type: 'SignerPubkeyMismatch', nonRetryable: true });
  });

  test('persistAudit writes one row, whatever is called how often, ends what is open, and closes the run', async () => {
    const operator = await saga.addOperator({ machines: 1 });
    const { runId, loaded } = await bench.plan(operator);
    await bench.call('republishDocuments', { runId, page: 1 });
    const eventId = (await bench.row(runId, 'bitspire-fees', operator.machines[0]?.id)).event?.id ?? '';
    const cause = { type: 'SignerTimeout' as const, message: 'no answer' };
    const input = {
      runId,
      workflowId: 'w',
      request: { operatorUserId: operator.id, reason: 'by itself' },
      operatorPubkey: loaded.opened.operatorPubkey,
      documentTypes: TYPES,
      cancelled: false,
      cause,
      planned: 2,
    };
    const first = await bench.call('persistAudit', input);
    expect(first).toMatchObject({
      counts: { 'bitspire-cassettes': { failed: 1 }, 'bitspire-fees': { published: 1 } },
      failures: [{ ...cause, documentType: 'bitspire-cassettes', machineId: operator.machines[0]?.id }],
      failed: 1,
    });
    expect(unpackEvents(first.packedEvents)).toEqual({
      'bitspire-cassettes': [],
      'bitspire-fees': [eventId],
    });
    expect(await bench.call('persistAudit', { ...input, cancelled: true })).toEqual(first);
    expect(await saga.audits(operator.id)).toMatchObject([{ outcome: 'incomplete', reason: 'by itself' }]);

    // What comes after the audit changes nothing any more, and asks the bunker nothing.
    const asked = operator.bunker.requests.length;
    const late = await bench.call('republishDocuments', { runId, page: 0 });
    expect(late.counts).toEqual({ failed: 1 });
    expect(operator.bunker.requests.length).toBe(asked);
  });

  test('a ledger that has fewer documents than were planned is not taken for complete', async () => {
    const operator = await saga.addOperator({ machines: 1 });
    const { runId, loaded } = await bench.plan(operator);
    const written = await bench.call('persistAudit', {
      runId,
      workflowId: 'w',
      request: { operatorUserId: operator.id },
      operatorPubkey: loaded.opened.operatorPubkey,
      documentTypes: TYPES,
      cancelled: false,
      planned: 3,
    });
    expect(written.failure?.type).toBe('LedgerIncomplete');
  });
});
