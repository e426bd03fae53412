import { randomUUID } from 'node:crypto';
import { MockActivityEnvironment } from '@temporalio/testing';
import { ApplicationFailure } from '@temporalio/common';
import { DefaultLogger } from '@temporalio/worker';
import pino from 'pino';
import { createActivities } from '../../activities/create-activities';
import { useSigner } from '../../activities/steps/use-signer';
import type { Activities, LoadMachinesInput } from '../../contract/activities';
import { type DocumentRow, documentsOfRun } from '../../database/ledger/documents';
import { documentTypes } from '../../documents/registry';
import { documentsOf } from '../../workflows/document-queue';
import { unpackEvents } from '../../workflows/event-ids';
import { buildDependencies } from '../../worker/build-dependencies';
import { fails } from '../support/fails';
import { type Saga, type SagaOperator, startSaga } from '../support/saga';

/** Each activity by itself, on the real parts, in a mocked activity context: what it does, leaves, and does the second time. */
describe('activities', () => {
  let saga: Saga;
  let activities: Activities;

  beforeAll(async () => {
    saga = await startSaga({ relays: 3 });
    const built = buildDependencies(saga.configuration(), documentTypes, pino({ level: 'silent' }));
    saga.onStop(() => built.close());
    activities = createActivities(built.dependencies);
  });
  afterAll(() => saga.stop());

  /** A fresh environment for each call: its cancelled state sticks. */
  async function call<K extends keyof Activities>(
    name: K,
    input: Parameters<Activities[K]>[0],
  ): Promise<Awaited<ReturnType<Activities[K]>>> {
    const environment = new MockActivityEnvironment(
      { workflowExecution: { workflowId: 'w', runId: 'r' } },
      { logger: new DefaultLogger('ERROR', () => undefined) },
    );
    const activity = activities[name] as (input: unknown) => Promise<Awaited<ReturnType<Activities[K]>>>;
    return (await environment.run(activity, input)) as Awaited<ReturnType<Activities[K]>>;
  }

  /** A page of the operator's machines: all of them, of both types, unless something else is asked for. */
  function load(
    operator: SagaOperator,
    run: Pick<LoadMachinesInput, 'runId' | 'operatorPubkey'>,
    input: Partial<LoadMachinesInput> = {},
  ) {
    return call('loadMachines', {
      ...run,
      operatorUserId: operator.id,
      documentTypes: ['bitspire-cassettes', 'bitspire-fees'],
      force: false,
      limit: 500,
      ...input,
    });
  }

  async function plan(operator: SagaOperator, input: Partial<LoadMachinesInput> = {}) {
    const runId = randomUUID();
    const request = { operatorUserId: operator.id };
    const { operatorPubkey, documentTypes: types } = await call('checkSigner', { runId, request });
    const page = await load(operator, { runId, operatorPubkey }, { documentTypes: types, ...input });
    return { runId, page, operatorPubkey };
  }

  const row = async (runId: string, documentType: string, machineId: string): Promise<DocumentRow> => {
    const rows = await documentsOfRun(saga.database, runId);
    const found = rows.find((each) => each.documentType === documentType && each.machineId === machineId);
    if (found === undefined) throw new Error('no such row');
    return found;
  };

  test('checkSigner says whose key and which types, asks the bunker nothing, and opens the run', async () => {
    const { id, bunker } = await saga.addOperator({ machines: 1 });
    const asked = bunker.requests.length;
    const runId = randomUUID();
    const result = await call('checkSigner', {
      runId,
      request: { operatorUserId: id, documentTypes: ['bitspire-fees'] },
    });
    expect(result).toMatchObject({ operatorPubkey: bunker.userPubkey, documentTypes: ['bitspire-fees'] });
    expect(result.limits.documentsInFlight).toBe(24);
    expect(bunker.requests.length).toBe(asked);
    expect(
      await saga.database.query('SELECT operator_user_id FROM republish.runs WHERE run_id = $1', [runId]),
    ).toEqual([{ operator_user_id: id }]);
  });

  test('loadMachines gives pages in keyset order that are disjoint and complete', async () => {
    const operator = await saga.addOperator({ machines: 7 });
    const runId = randomUUID();
    const { operatorPubkey } = await call('checkSigner', { runId, request: { operatorUserId: operator.id } });
    const seen: string[] = [];
    let after: string | undefined;
    do {
      const page = await load(
        operator,
        { runId, operatorPubkey },
        { documentTypes: ['bitspire-fees'], limit: 3, ...(after === undefined ? {} : { after }) },
      );
      seen.push(...page.machines.map(({ machineId }) => machineId));
      expect(page.toSign).toBe(page.machines.length);
      after = page.next;
    } while (after !== undefined);
    expect(seen).toEqual(operator.machines.map(({ id }) => id));
  });

  test('loadMachines names all bad rows, and its result holds no state', async () => {
    const operator = await saga.addOperator({ machines: 3 });
    await saga.database.query(
      'UPDATE spirekeeper.dca_machines SET operator_cash_in_fee_fraction = 0.4962 WHERE id = $1',
      [operator.machines[0]?.id],
    );
    await saga.database.query("UPDATE spirekeeper.dca_machines SET machine_npub = 'zz' WHERE id = $1", [
      operator.machines[1]?.id,
    ]);
    await saga.database.query('DELETE FROM spirekeeper.cassette_configs WHERE machine_id = $1', [
      operator.machines[2]?.id,
    ]);
    const { page } = await plan(operator);
    expect(page.failures.map(({ type }) => type).sort()).toEqual([
      'MachineKeyInvalid',
      'MachineKeyInvalid',
      'StateInvalid',
    ]);
    expect(page.settled).toEqual({
      'bitspire-cassettes': { failed: 1, skipped: 1 },
      'bitspire-fees': { failed: 2 },
    });
    expect(page.machines.map(({ documentTypes: types }) => types)).toEqual([
      ['bitspire-cassettes'],
      ['bitspire-fees'],
    ]);
    expect(JSON.stringify(page)).not.toMatch(/4962|denomination|components/);
  });

  test('loadMachines a second time gives what is left, not what was read', async () => {
    const operator = await saga.addOperator({ machines: 2 });
    const { runId, operatorPubkey } = await plan(operator);
    const machineId = operator.machines[0]?.id ?? '';
    await call('republishDocument', { runId, documentType: 'bitspire-fees', machineId });
    const again = await load(operator, { runId, operatorPubkey });
    expect(again.machines).toMatchObject([
      { machineId, documentTypes: ['bitspire-cassettes'] },
      { documentTypes: ['bitspire-cassettes', 'bitspire-fees'] },
    ]);
    expect(again.settled).toEqual({ 'bitspire-fees': { published: 1 } });
  });

  test('documents are listed by number where that is asked for, and what has its outcome is left out', async () => {
    const operator = await saga.addOperator({ machines: 3 });
    const { runId, page: named, operatorPubkey } = await plan(operator);
    await call('republishDocument', {
      runId,
      documentType: 'bitspire-fees',
      machineId: operator.machines[1]?.id ?? '',
    });
    const page = await load(operator, { runId, operatorPubkey }, { numbered: true });
    expect(page.machines).toEqual([]);
    const listed = documentsOf(page);
    expect(new Set(listed.map(({ number }) => number)).size).toBe(5);
    expect(listed.map(({ number: _, ...document }) => document)).toEqual(
      documentsOf(named).filter(
        ({ machineId, documentType }) =>
          machineId !== operator.machines[1]?.id || documentType !== 'bitspire-fees',
      ),
    );
    const rest = await call('nextDocuments', {
      runId,
      after: { machineId: operator.machines[0]?.id ?? '', documentType: 'bitspire-fees' },
      limit: 500,
      numbered: true,
    });
    expect(documentsOf(rest)).toEqual(listed.slice(2));
  });

  test('republishDocument takes a number: the ledger knows which document of which run that is', async () => {
    const operator = await saga.addOperator({ machines: 1 });
    const { runId, page } = await plan(operator, { numbered: true });
    const [cassettes, fees] = documentsOf(page);
    expect(await call('republishDocument', fees?.number ?? 0)).toBeUndefined();
    expect(await row(runId, 'bitspire-fees', operator.machines[0]?.id ?? '')).toMatchObject({
      outcome: 'published',
    });
    // A failure says which document it was, although the input does not.
    operator.bunker.setFaults(() => ({ error: 'denied' }));
    const refused = await fails(ApplicationFailure, call('republishDocument', cassettes?.number ?? 0));
    expect(refused.type).toBe('SignerRefused');
    expect(refused.details?.[1]).toEqual({
      documentType: 'bitspire-cassettes',
      machineId: operator.machines[0]?.id,
    });
    const unknown = await fails(ApplicationFailure, call('republishDocument', 2 ** 40));
    expect(unknown.type).toBe('Unexpected');
    // A number of another workflow's run is nobody's, as after a ledger was put back to an earlier day.
    await saga.database.query("UPDATE republish.runs SET workflow_id = 'another' WHERE run_id = $1", [runId]);
    operator.bunker.setFaults(undefined);
    const foreign = await fails(ApplicationFailure, call('republishDocument', cassettes?.number ?? 0));
    expect(foreign.type).toBe('Unexpected');
  });

  test('askSigner compares what the bunker says now', async () => {
    const { id, bunker } = await saga.addOperator({ machines: 1 });
    await call('askSigner', { operatorUserId: id, operatorPubkey: bunker.userPubkey });
    bunker.setFaults(() => ({ reportPubkey: 'd'.repeat(64) }));
    const failure = await fails(
      ApplicationFailure,
      call('askSigner', { operatorUserId: id, operatorPubkey: bunker.userPubkey }),
    );
    expect(failure).toMatchObject({ type: 'SignerPubkeyMismatch', nonRetryable: true });
  });

  test('republishDocument leaves a fact behind each step, and a second call gives the same without asking again', async () => {
    const operator = await saga.addOperator({ machines: 1 });
    const { runId } = await plan(operator);
    const key = { runId, documentType: 'bitspire-fees', machineId: operator.machines[0]?.id ?? '' };
    const first = await call('republishDocument', key);
    const asked = operator.bunker.requests.length;
    const fact = await row(runId, key.documentType, key.machineId);
    expect(fact).toMatchObject({
      outcome: 'published',
      event: { id: expect.stringMatching(/^[0-9a-f]{64}$/) },
      signature: expect.stringMatching(/^[0-9a-f]{128}$/),
    });
    expect(Object.values(fact.relays)).toEqual([{ state: 'holds' }, { state: 'holds' }, { state: 'holds' }]);

    expect(await call('republishDocument', key)).toEqual(first);
    expect(operator.bunker.requests.length).toBe(asked);
  });

  test('republishDocument goes on behind the seal of an attempt that died', async () => {
    const operator = await saga.addOperator({ machines: 1 });
    const { runId } = await plan(operator);
    const key = { runId, documentType: 'bitspire-fees', machineId: operator.machines[0]?.id ?? '' };
    operator.bunker.setFaults(({ method }) => (method === 'sign_event' ? { swallow: true } : undefined));
    const failure = await fails(ApplicationFailure, call('republishDocument', key));
    expect(failure).toMatchObject({ type: 'SignerTimeout', nonRetryable: false });
    const sealed = (await row(runId, key.documentType, key.machineId)).event?.id;
    expect(sealed).toBeDefined();

    // The state changes meanwhile: the run keeps its seal, and the next run sees the change.
    await saga.database.query(
      'UPDATE spirekeeper.dca_machines SET operator_cash_in_fee_fraction = 0.04 WHERE id = $1',
      [key.machineId],
    );
    operator.bunker.setFaults(undefined);
    const encrypted = operator.bunker.requests.filter(({ method }) => method === 'nip44_encrypt').length;
    expect(await call('republishDocument', key)).toEqual({ outcome: 'published' });
    expect((await row(runId, key.documentType, key.machineId)).event?.id).toBe(sealed);
    expect(operator.bunker.requests.filter(({ method }) => method === 'nip44_encrypt').length).toBe(
      encrypted,
    );
  });

  test('two attempts at once, as a worker that was taken for dead makes them, end in one event', async () => {
    const operator = await saga.addOperator({ machines: 1, bunker: { answerDelayMs: 50 } });
    const { runId } = await plan(operator);
    const key = { runId, documentType: 'bitspire-cassettes', machineId: operator.machines[0]?.id ?? '' };
    const results = await Promise.all(Array.from({ length: 4 }, () => call('republishDocument', key)));
    expect(results).toEqual(Array(4).fill({ outcome: 'published' }));
    for (const relay of saga.relays) {
      expect(relay.events().filter(({ pubkey }) => pubkey === operator.bunker.userPubkey)).toHaveLength(1);
    }
  });

  test('a newer event of the operator at the address supersedes ours: theirs stands', async () => {
    const operator = await saga.addOperator({ machines: 1 });
    const { runId } = await plan(operator);
    const [machine] = operator.machines;
    const key = { runId, documentType: 'bitspire-fees', machineId: machine?.id ?? '' };
    let theirs = '';
    // The operator saves a change between our seal and our signature: LNbits publishes it with a later date.
    operator.bunker.setFaults(async ({ method, params }) => {
      if (method !== 'sign_event' || theirs !== '') return undefined;
      const ours = JSON.parse(params[0] ?? '') as { created_at: number; tags: string[][] };
      theirs = 'asked';
      theirs = await publishAs(operator, ours.created_at + 5, ours.tags);
      return undefined;
    });
    const result = await call('republishDocument', key);
    expect(result).toEqual({ outcome: 'superseded' });
    expect((await row(runId, key.documentType, key.machineId)).event?.id).not.toBe(theirs);
    expect(await row(runId, key.documentType, key.machineId)).toMatchObject({
      outcome: 'superseded',
      supersededBy: theirs,
    });
    expect(saga.relays[0]?.events().find(({ pubkey }) => pubkey === operator.bunker.userPubkey)?.id).toBe(
      theirs,
    );
  });

  /** Signs through the bunker and publishes to every relay, past us; returns the id. */
  async function publishAs(operator: SagaOperator, createdAtS: number, tags: string[][]): Promise<string> {
    const { dependencies, close } = buildDependencies(
      saga.configuration(),
      documentTypes,
      pino({ level: 'silent' }),
    );
    try {
      const owner = { operatorUserId: operator.id, operatorPubkey: operator.bunker.userPubkey };
      const event = await useSigner(dependencies, owner, (signer) =>
        signer.signEvent({
          pubkey: operator.bunker.userPubkey,
          kind: 30078,
          created_at: createdAtS,
          tags,
          content: 'theirs',
        }),
      );
      await dependencies.publisher.place(event);
      return event.id;
    } finally {
      await close();
    }
  }

  test('an event that stands at the address already is followed by a later one; one from the future is not', async () => {
    const operator = await saga.addOperator({ machines: 2 });
    const nowS = Math.floor(Date.now() / 1000);
    const [near, far] = operator.machines;
    const address = (atmPubkey: string | undefined): string[][] => [['d', `bitspire-fees:${atmPubkey}`]];
    await publishAs(operator, nowS + 300, address(near?.atmPubkey));
    await publishAs(operator, nowS + 1_800, address(far?.atmPubkey));
    const { runId } = await plan(operator);

    const result = await call('republishDocument', {
      runId,
      documentType: 'bitspire-fees',
      machineId: near?.id ?? '',
    });
    expect(result).toEqual({ outcome: 'published' });
    expect((await row(runId, 'bitspire-fees', near?.id ?? '')).event?.created_at).toBe(nowS + 301);

    const failure = await fails(
      ApplicationFailure,
      call('republishDocument', { runId, documentType: 'bitspire-fees', machineId: far?.id ?? '' }),
    );
    expect(failure).toMatchObject({ type: 'NewerDocumentExists', nonRetryable: true });
  });

  test('persistAudit writes one row, whatever is called how often, and ends what is open', async () => {
    const operator = await saga.addOperator({ machines: 1 });
    const { runId, operatorPubkey } = await plan(operator);
    const machineId = operator.machines[0]?.id ?? '';
    await call('republishDocument', { runId, documentType: 'bitspire-fees', machineId });
    const eventId = (await row(runId, 'bitspire-fees', machineId)).event?.id;
    const input = {
      runId,
      workflowId: 'w',
      request: { operatorUserId: operator.id, reason: 'by itself' },
      operatorPubkey,
      documentTypes: ['bitspire-cassettes', 'bitspire-fees'],
      cancelled: false,
      failures: [
        {
          documentType: 'bitspire-cassettes',
          machineId,
          type: 'SignerTimeout' as const,
          message: 'no answer',
        },
      ],
    };
    const first = await call('persistAudit', input);
    expect(first).toMatchObject({
      counts: { 'bitspire-cassettes': { failed: 1 }, 'bitspire-fees': { published: 1 } },
      events: { 'bitspire-cassettes': [], 'bitspire-fees': [eventId] },
      failures: input.failures,
      failed: 1,
    });
    expect(await call('persistAudit', { ...input, cancelled: true, failures: [] })).toEqual(first);
    const { events, ...others } = first;
    const { packedEvents, ...same } = await call('persistAudit', { ...input, packed: true });
    expect(same).toEqual(others);
    expect(unpackEvents(packedEvents ?? {})).toEqual(events);
    expect(await saga.audits(operator.id)).toMatchObject([{ outcome: 'incomplete', reason: 'by itself' }]);

    // What comes after the audit changes nothing any more.
    const late = call('republishDocument', { runId, documentType: 'bitspire-cassettes', machineId });
    expect(await fails(ApplicationFailure, late)).toMatchObject({ type: 'NotAttempted' });
  });
});
