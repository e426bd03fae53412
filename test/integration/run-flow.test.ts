import { WorkflowFailedError, WorkflowUpdateFailedError } from '@temporalio/client';
import type { PageResult } from '../../contract/activities';
import type { FailureType } from '../../contract/failures';
import { APPROVAL_SIGNAL } from '../../contract/control';
import type { Phase } from '../../contract/progress';
import { startTemporalServer } from '../../embedded/temporal-server/start';
import { fails } from '../support/fails';
import { failure, type Flow, type FlowRun, startFlow, type Steps, untilCancelled } from '../support/flow';
import { testServers } from '../support/servers';
import { until } from '../support/until';

let flow: Flow;
beforeAll(async () => (flow = await startFlow()));
afterAll(() => flow.stop());

const AN_HOUR_MS = 3_600_000;
const ALONE = { limits: { pagesAtOnce: 1 } };

const pagesOf = ({ calls }: FlowRun): string[] => calls.filter((call) => call.startsWith('page'));
const isIn = (run: FlowRun, phase: Phase) => async () => (await run.progress()).phase === phase;
const hasCalled = (run: FlowRun, call: string) => () => run.calls.includes(call);
/** Long enough for a step that must not begin. */
const aMoment = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 300));

/** How the run ended, if not well. */
async function endOf(run: FlowRun): Promise<{ type: unknown; message: string }> {
  const { cause } = await fails(WorkflowFailedError, run.result());
  const { name, message, type } = cause as Error & { type?: string };
  return { type: type ?? name, message };
}

async function refusalOf(asked: Promise<unknown>): Promise<string> {
  const { cause } = await fails(WorkflowUpdateFailedError, asked);
  return cause?.message ?? '';
}

/** Fails until it is told otherwise. */
function failing<T>(type: FailureType, well: () => Promise<T>): { isMended: boolean; step(): Promise<T> } {
  const fault = {
    isMended: false,
    step: () => (fault.isMended ? well() : Promise.reject(failure(type))),
  };
  return fault;
}

describe('the way of a run', () => {
  test('three machines: load, prove, a page for each document type, sweep, audit', async () => {
    const run = await flow.start({ documentTypes: ['bitspire-fees', 'bitspire-cassettes'], machines: 3 });
    expect(await run.result()).toEqual({});
    const { events } = await run.handle.fetchHistory();
    const summaries = (events ?? []).flatMap(({ activityTaskScheduledEventAttributes, userMetadata }) =>
      activityTaskScheduledEventAttributes == null
        ? []
        : [Buffer.from(userMetadata?.summary?.data ?? '').toString()],
    );
    expect(summaries.map((text) => JSON.parse(text) as string)).toEqual([
      'load machines',
      'prove the signer',
      'bitspire-fees, 3 machines',
      'bitspire-cassettes, 3 machines',
      'sweep',
      'write the audit',
    ]);
    expect(run.audits).toMatchObject([
      { planned: 6, cancelled: false, documentTypes: ['bitspire-fees', 'bitspire-cassettes'] },
    ]);
    expect(await run.progress()).toMatchObject({
      phase: 'done',
      planned: 6,
      published: 6,
      open: 0,
      failed: 0,
    });
  });

  test('machines come page by page, all before the first signature', async () => {
    const run = await flow.start({
      machines: 5,
      machinesPerCall: 2,
      limits: { documentsPerPage: 2, pagesAtOnce: 1 },
    });
    await run.result();
    expect(run.calls).toEqual([
      ...['load', 'load', 'load', 'prove'],
      ...[0, 1, 2, 3, 4, 5].map((page) => `page ${page}`),
      ...['sweep', 'audit'],
    ]);
    expect(run.audits[0]?.planned).toBe(10);
  });

  test('where everything stands, nothing is asked of the signer', async () => {
    const run = await flow.start({ steps: { load: async (ledger, after) => ledger.load(after, 0) } });
    await run.result();
    expect(run.calls).not.toContain('prove');
  });

  test('a signer that a page finds unproved is proved once, and the pages go out again', async () => {
    let isProved = false;
    const run = await flow.start({
      steps: {
        load: async (ledger, after) => ledger.load(after, 0),
        prove: async () => void (isProved = true),
        page: async (page, ledger) => {
          if (!isProved) {
            // Both have begun before the proof.
            await until(() => pagesOf(run).length > 1);
            return { ...ledger.pageResult(page), unproven: true };
          }
          for (const document of ledger.open(page)) ledger.settle(document, 'published');
          return ledger.pageResult(page);
        },
      },
    });
    await run.result();
    expect(run.calls.filter((call) => call === 'prove')).toHaveLength(1);
    expect([...pagesOf(run)].sort()).toEqual(['page 0', 'page 0', 'page 1', 'page 1']);
  });

  test('a page that yields goes behind the others, and is seen to move', async () => {
    const run = await flow.start({
      ...ALONE,
      steps: {
        page: async (page, ledger) => {
          const [first, ...others] = ledger.open(page);
          if (first !== undefined) ledger.settle(first, 'published');
          for (const other of others) other.isSigned = true;
          const again = run.calls.filter((call) => call === `page ${page}`).length;
          if (page === 1 && again === 3) await untilCancelled();
          return ledger.pageResult(page);
        },
      },
    });
    await until(() => pagesOf(run).length === 6);
    expect(pagesOf(run)).toEqual(['page 0', 'page 1', 'page 0', 'page 1', 'page 0', 'page 1']);
    expect(await run.progress()).toMatchObject({
      published: 5,
      open: 1,
      stages: { encrypted: 6, signed: 6, sent: 5, standing: 5 },
    });
    await run.ask('retry');
    await run.result();
    expect(run.audits).toHaveLength(1);
  });

  test('an attempt that takes too long is tried again; a page that fails is settled, and the others go on', async () => {
    let isSlow = true;
    const run = await flow.start({
      // A busy machine must not reach it with the second attempt.
      limits: { pagesAtOnce: 1, attemptTimeoutMs: 5_000 },
      steps: {
        page: async (page, ledger) => {
          if (page === 0 && isSlow) {
            isSlow = false;
            await until(() => pagesOf(run).length > 1);
          }
          if (page === 1) throw failure('DatabaseMisconfigured');
          for (const document of ledger.open(page)) ledger.settle(document, 'published');
          return ledger.pageResult(page);
        },
      },
    });
    expect(await endOf(run)).toMatchObject({ type: 'RepublishIncomplete' });
    expect(run.calls).toEqual(['load', 'prove', 'page 0', 'page 0', 'page 1', 'settle 1', 'sweep', 'audit']);
    expect(run.ledger.counts).toMatchObject({ fees: { published: 3 }, cassettes: { failed: 3 } });
    expect((await run.progress()).failures[0]).toMatchObject({ type: 'DatabaseMisconfigured' });
  });

  test('where the sweep finds open documents, their pages go out, and it sweeps again', async () => {
    const run = await flow.start({
      ...ALONE,
      steps: {
        page: async (page, ledger) => {
          for (const document of ledger.open(page)) ledger.settle(document, 'published');
          const result = ledger.pageResult(page);
          const [first] = ledger.documents;
          // As if a late statement had opened it.
          if (page === 0 && first !== undefined && pagesOf(run).length < 3) first.outcome = null;
          return result;
        },
      },
    });
    await run.result();
    expect(run.calls.slice(-5)).toEqual(['page 1', 'sweep', 'page 0', 'sweep', 'audit'].slice(-5));
  });

  test('what makes the whole run untrue ends it by name', async () => {
    const message = 'the account has another key';
    const run = await flow.start({
      steps: {
        sweep: async (_, ledger) => ({
          ...ledger.view(),
          swept: true,
          failure: { type: 'PlanOutdated', message },
        }),
      },
    });
    expect(await endOf(run)).toMatchObject({
      type: 'PlanOutdated',
      message: expect.stringContaining(message) as string,
    });
    expect(run.audits).toMatchObject([{ failure: { type: 'PlanOutdated' } }]);
  });

  test('while its signer waits for a person, the page to approve on is shown', async () => {
    const run = await flow.start({ ...ALONE, steps: { prove: untilCancelled } });
    await until(isIn(run, 'proving signer'));
    const approvalUrl = 'https://bunker.example/approve';
    await run.handle.signal(APPROVAL_SIGNAL, { of: 'prove signer', approvalUrl });
    expect(await run.progress()).toMatchObject({ approvals: [approvalUrl] });
    await run.ask('cancel');
    await endOf(run);
    expect(await run.progress()).toMatchObject({ approvals: [] });
  });
});

describe('a cause that others share', () => {
  const cause = { type: 'SignerUnreachable' as const, message: 'the bunker is away' };
  const causing = (isMended: () => boolean) => ({
    ...ALONE,
    steps: {
      page: async (page: number, ledger: FlowRun['ledger']) => {
        if (isMended()) {
          for (const document of ledger.open(page)) ledger.settle(document, 'published');
          return ledger.pageResult(page);
        }
        ledger.fail(page, cause);
        return { ...ledger.pageResult(page), cause };
      },
    },
  });

  test('a run that reports begins no further page, sweeps what stands, and the audit has the cause', async () => {
    const run = await flow.start(causing(() => false));
    expect(await endOf(run)).toMatchObject({ type: 'RepublishIncomplete' });
    expect(run.calls).toEqual(['load', 'prove', 'page 0', 'sweep, blocked', 'audit']);
    expect(run.audits).toMatchObject([{ cause, planned: 6 }]);
  });

  test('a run that holds says so, and goes on when somebody retries', async () => {
    let isMended = false;
    const run = await flow.start({ ...causing(() => isMended), request: { onFailure: 'hold' } });
    await until(isIn(run, 'holding'));
    expect(await run.progress()).toMatchObject({ blocked: cause, failed: 3, open: 3 });
    isMended = true;
    expect(await run.ask('retry')).toBe(3);
    await run.result();
    expect(run.audits).toMatchObject([{ planned: 6, interventions: [{ action: 'retry' }] }]);
    expect(run.audits[0]).not.toHaveProperty('cause');
    expect(await run.progress()).toMatchObject({ published: 6, failed: 0 });
  });
});

describe('a run that holds', () => {
  const hold = { request: { onFailure: 'hold' as const } };

  test.each(['load', 'prove'] as const)(
    'holds where it cannot %s, and retry tries that again',
    async (name) => {
      const steps =
        name === 'load'
          ? failing('OperatorNotFound', async () => run.ledger.load(undefined))
          : failing('SignerCannotEncrypt', async () => undefined);
      const run: FlowRun = await flow.start({ ...hold, steps: { [name]: () => steps.step() } });
      await until(isIn(run, 'holding'));
      const type = name === 'load' ? 'OperatorNotFound' : 'SignerCannotEncrypt';
      expect(await run.progress()).toMatchObject({ blocked: { type } });
      expect(pagesOf(run)).toEqual([]);
      // Nothing mended: it holds again.
      await run.ask('retry');
      await until(() => run.calls.filter((call) => call === name).length === 2);
      await until(isIn(run, 'holding'));
      steps.isMended = true;
      await run.ask('retry', { by: 'ada' });
      await run.result();
      expect(run.audits).toMatchObject([
        { interventions: [{ action: 'retry' }, { action: 'retry', by: 'ada' }] },
      ]);
    },
  );

  test('without machines there is nothing to skip', async () => {
    const run = await flow.start({
      ...hold,
      steps: { load: () => Promise.reject(failure('MachineNotFound')) },
    });
    await until(isIn(run, 'holding'));
    expect(await refusalOf(run.ask('skip'))).toContain('could not be loaded');
    await run.ask('cancel');
    expect(await endOf(run)).toMatchObject({ type: 'CancelledFailure' });
    expect(run.audits).toMatchObject([{ cancelled: true, cause: { type: 'MachineNotFound' } }]);
  });

  test('an input that nobody can mend ends it', async () => {
    const run = await flow.start({ ...hold, steps: { load: () => Promise.reject(failure('InvalidInput')) } });
    expect(await endOf(run)).toMatchObject({ type: 'InvalidInput' });
  });

  test('a run that reports does not hold', async () => {
    const run = await flow.start({ steps: { prove: () => Promise.reject(failure('SignerCannotEncrypt')) } });
    expect(await endOf(run)).toMatchObject({ type: 'SignerCannotEncrypt' });
    expect(run.calls).toEqual(['load', 'prove', 'audit']);
    expect(run.audits).toMatchObject([{ failure: { type: 'SignerCannotEncrypt' }, planned: 6 }]);
  });

  test('holds with its failures; what is skipped one by one is swept once, at the end', async () => {
    const run = await flow.start({
      ...hold,
      steps: {
        page: async (page, ledger) => {
          ledger.fail(page, { type: 'SignerRefused', message: 'denied' });
          return ledger.pageResult(page);
        },
      },
    });
    await until(isIn(run, 'holding'));
    expect(await run.progress()).toMatchObject({ failed: 6, open: 0 });
    for (const machineId of run.ledger.machines) expect(await run.ask('skip', { machineId })).toBe(2);
    await run.result();
    expect(run.calls.filter((call) => call !== 'skip').slice(-3)).toEqual(['sweep', 'sweep', 'audit']);
    expect(await run.progress()).toMatchObject({ planned: 0, skipped: 6, failed: 0 });
  });

  test('holds where the sweep fails, and retry sweeps again', async () => {
    const run: FlowRun = await flow.start({
      ...hold,
      steps: { sweep: () => Promise.reject(failure('SourceMisconfigured')) },
    });
    await until(isIn(run, 'holding'));
    expect(await run.progress()).toMatchObject({ blocked: { type: 'SourceMisconfigured' }, published: 6 });
    run.steps.sweep = async (_, ledger) => ({ ...ledger.view(), swept: true });
    await run.ask('retry');
    await run.result();
    expect(run.calls.slice(-4)).toEqual(['sweep', 'retry', 'sweep', 'audit']);
  });
});

describe('people intervene', () => {
  /** As long as it is not mended, page 0 fails and is tried again an hour later. */
  const inBackOff = { isMended: false };
  const troubled = {
    ...ALONE,
    documentTypes: ['fees'],
    steps: {
      page: async (page: number, ledger: FlowRun['ledger']) => {
        if (!inBackOff.isMended) throw failure('SignerTimeout', AN_HOUR_MS);
        for (const document of ledger.open(page)) ledger.settle(document, 'published');
        return ledger.pageResult(page);
      },
    },
  };
  beforeEach(() => void (inBackOff.isMended = false));

  test('retry: a page that waits for its next attempt goes out at once', async () => {
    const run = await flow.start(troubled);
    await until(hasCalled(run, 'page 0'));
    inBackOff.isMended = true;
    expect(await run.ask('retry')).toBe(0);
    await run.result();
    expect(run.calls).toEqual(['load', 'prove', 'page 0', 'retry', 'page 0', 'sweep', 'audit']);
  });

  test('skip: what waits is given up at once', async () => {
    const run = await flow.start(troubled);
    await until(hasCalled(run, 'page 0'));
    expect(await run.ask('skip', { documentType: 'fees', by: 'ada' })).toBe(3);
    await run.result();
    expect(run.calls).toEqual(['load', 'prove', 'page 0', 'skip', 'sweep', 'audit']);
  });

  test('skip: what is signed is finished first, and the rest of the page goes on', async () => {
    const run = await flow.start({
      ...ALONE,
      documentTypes: ['fees'],
      steps: {
        page: async (page, ledger) => {
          if (pagesOf(run).length === 1) await untilCancelled();
          const [first, ...others] = ledger.open(page);
          if (first !== undefined) ledger.settle(first, 'published');
          if (pagesOf(run).length > 1) for (const other of others) ledger.settle(other, 'published');
          return ledger.pageResult(page);
        },
      },
    });
    await until(hasCalled(run, 'page 0'));
    const [signed, other] = run.ledger.machines;
    expect(await run.ask('skip', { machineId: signed ?? '' })).toBe(0);
    await run.result();
    expect(run.calls).toEqual(['load', 'prove', 'page 0', 'skip', 'page 0', 'sweep', 'audit']);
    expect(run.ledger.documents.map(({ outcome }) => outcome)).toEqual(Array(3).fill('published'));
    expect(other).toBeDefined();
  });

  test('pause: what is in work gives way, nothing is begun; resume reads the ledger and goes on', async () => {
    const run = await flow.start({ ...troubled, documentTypes: ['fees', 'cassettes'] });
    await until(hasCalled(run, 'page 0'));
    await run.ask('pause', { by: 'ada', reason: 'tea' });
    inBackOff.isMended = true;
    await aMoment();
    expect(run.calls).toEqual(['load', 'prove', 'page 0']);
    expect(await run.progress()).toMatchObject({ phase: 'publishing', paused: { by: 'ada', reason: 'tea' } });
    expect(await refusalOf(run.ask('pause'))).toBe('the run is paused already');
    await run.ask('resume');
    await run.result();
    // The page that gave way has had its turn.
    expect(run.calls.slice(3)).toEqual(['read, resumed', 'page 1', 'page 0', 'sweep', 'audit']);
  });

  test.each(['pause', 'skip'] as const)(
    '%s: an attempt that meets with trouble before it hears of it has not failed its documents',
    async (name) => {
      const run = await flow.start({
        ...ALONE,
        documentTypes: ['fees'],
        steps: {
          page: async (page, ledger) => {
            if (!inBackOff.isMended) {
              await untilCancelled();
              inBackOff.isMended = true;
              throw failure('SignerTimeout');
            }
            for (const document of ledger.open(page)) ledger.settle(document, 'published');
            return ledger.pageResult(page);
          },
        },
      });
      await until(hasCalled(run, 'page 0'));
      const [first] = run.ledger.machines;
      await run.ask(name, name === 'skip' ? { machineId: first ?? '' } : {});
      if (name === 'pause') await run.ask('resume');
      await run.result();
      expect(run.calls).not.toContain('settle 0');
      expect(await run.progress()).toMatchObject({
        published: name === 'skip' ? 2 : 3,
        skipped: name === 'skip' ? 1 : 0,
        failed: 0,
      });
    },
  );

  test('retry during the sweep: it gives way, and all is swept after what was tried again', async () => {
    const run: FlowRun = await flow.start({
      documentTypes: ['fees'],
      steps: {
        page: async (page, ledger) => {
          ledger.fail(page, { type: 'SignerRefused', message: 'denied' });
          return ledger.pageResult(page);
        },
        sweep: async (_, ledger) => {
          const view = ledger.view();
          await untilCancelled();
          return { ...view, swept: true };
        },
      },
    });
    await until(hasCalled(run, 'sweep'));
    run.steps.page = async (page, ledger) => {
      for (const document of ledger.open(page)) ledger.settle(document, 'published');
      return ledger.pageResult(page);
    };
    run.steps.sweep = async (_, ledger) => ({ ...ledger.view(), swept: true });
    expect(await run.ask('retry')).toBe(3);
    await run.result();
    expect(run.calls.slice(-5)).toEqual(['sweep', 'retry', 'page 0', 'sweep', 'audit']);
  });

  test('what cannot be done is refused in words', async () => {
    const run = await flow.start({ steps: { prove: untilCancelled } });
    await until(isIn(run, 'proving signer'));
    expect(await refusalOf(run.ask('resume'))).toBe('the run is not paused');
    expect(await refusalOf(run.ask('retry'))).toContain('nothing has failed');
    expect(await refusalOf(run.ask('skip'))).toContain('name documentType or machineId');
    expect(await refusalOf(run.ask('retry', { documentType: 'fee' }))).toContain('did you mean fees');
    await run.ask('cancel');
    await endOf(run);
  });
});

describe('cancel ends a run wherever it is, with an audit', () => {
  const finish = async (page: number, ledger: FlowRun['ledger']): Promise<PageResult> => {
    await untilCancelled();
    const [first] = ledger.open(page);
    if (first !== undefined) ledger.settle(first, 'published');
    return ledger.pageResult(page);
  };
  const places: [Phase, Parameters<Flow['start']>[0]][] = [
    [
      'loading machines',
      { steps: { load: async (ledger, after) => (await untilCancelled(), ledger.load(after)) } },
    ],
    ['proving signer', { steps: { prove: untilCancelled } }],
    ['publishing', { steps: { page: finish } }],
    [
      'sweeping',
      { steps: { sweep: async (_, ledger) => (await untilCancelled(), { ...ledger.view(), swept: true }) } },
    ],
    [
      'holding',
      { request: { onFailure: 'hold' }, steps: { prove: () => Promise.reject(failure('SignerRefused')) } },
    ],
  ];

  test.each(places)('%s', async (phase, options) => {
    const run = await flow.start(options);
    await until(isIn(run, phase));
    if (phase === 'publishing') await until(() => pagesOf(run).length === 2);
    await run.ask('cancel', { reason: 'enough' });
    expect(await endOf(run)).toMatchObject({ type: 'CancelledFailure' });
    expect(run.audits).toMatchObject([
      { cancelled: true, interventions: [{ action: 'cancel', reason: 'enough' }] },
    ]);
    // What was in work is finished, and nothing is swept any more.
    if (phase === 'publishing')
      expect(run.ledger.counts).toMatchObject({ fees: { published: 1 }, cassettes: { published: 1 } });
    if (phase !== 'sweeping') expect(run.calls).not.toContain('sweep');
  });

  test('paused', async () => {
    const run = await flow.start({
      ...ALONE,
      steps: { page: finish },
    });
    await until(hasCalled(run, 'page 0'));
    await run.ask('pause');
    await run.handle.cancel();
    expect(await endOf(run)).toMatchObject({ type: 'CancelledFailure' });
    expect(run.calls).toEqual(['load', 'prove', 'page 0', 'audit']);
  });
});

/** The first page meets with trouble, and waits for an hour, until it was given out with two others. */
const firstPageWaits =
  (runOf: () => FlowRun): Steps['page'] =>
  async (page, ledger) => {
    if (page === 0 && pagesOf(runOf()).length < 3) throw failure('SignerTimeout', AN_HOUR_MS);
    for (const document of ledger.open(page)) ledger.settle(document, 'published');
    return ledger.pageResult(page);
  };

describe('a run of several executions', () => {
  test('goes on in the middle: the ledger says what is open', async () => {
    const limits = { documentsPerPage: 1, pagesAtOnce: 2, pagesPerExecution: 3 };
    const run = await flow.start({ machines: 4, limits });
    await run.result();
    expect([...pagesOf(run)].sort()).toEqual(Array.from({ length: 8 }, (_, page) => `page ${page}`));
    expect(run.calls.filter((call) => call === 'read')).toHaveLength(2);
    expect(run.calls.filter((call) => call === 'load')).toHaveLength(1);
    expect(run.audits).toMatchObject([{ planned: 8 }]);
    expect(await run.progress()).toMatchObject({ planned: 8, published: 8 });
  });

  test('hands over while it is paused, and pause and interventions go along', async () => {
    const limits = { documentsPerPage: 1, pagesAtOnce: 2, pagesPerExecution: 2 };
    const run: FlowRun = await flow.start({
      documentTypes: ['fees'],
      machines: 3,
      limits,
      steps: { page: firstPageWaits(() => run) },
    });
    await until(() => pagesOf(run).length === 2);
    await run.ask('pause', { by: 'ada' });
    const isSecond = async (): Promise<boolean> => {
      const { raw } = await run.handle.describe();
      return raw.workflowExecutionInfo?.firstRunId !== raw.workflowExecutionInfo?.execution?.runId;
    };
    await until(isSecond);
    expect(await run.progress()).toMatchObject({ paused: { by: 'ada' }, published: 1, open: 2 });
    await run.ask('resume');
    await run.result();
    expect([...pagesOf(run)].sort()).toEqual(['page 0', 'page 0', 'page 1', 'page 2']);
    expect(run.audits).toMatchObject([
      { interventions: [{ action: 'pause', by: 'ada' }, { action: 'resume' }] },
    ]);
  });

  test('one that keeps its last page waiting does not keep the others from going on', async () => {
    const limits = { documentsPerPage: 1, pagesAtOnce: 2, pagesPerExecution: 2 };
    const run: FlowRun = await flow.start({
      documentTypes: ['fees'],
      machines: 3,
      limits,
      steps: { page: firstPageWaits(() => run) },
    });
    await run.result();
    expect([...pagesOf(run)].sort()).toEqual(['page 0', 'page 0', 'page 1', 'page 2']);
  });

  test('also while it holds, when its history has grown', async () => {
    const server = await startTemporalServer({
      executable: testServers().temporalCli,
      headless: true,
      dynamicConfig: { 'limit.historyCount.suggestContinueAsNew': '60' },
    });
    const other = await startFlow(server.address);
    try {
      let isProved = false;
      const run: FlowRun = await other.start({
        request: { onFailure: 'hold' },
        steps: {
          prove: () => (isProved ? Promise.resolve() : Promise.reject(failure('SignerRefused'))),
          page: async (page, ledger) => {
            if (!isProved) return { ...ledger.pageResult(page), unproven: true };
            for (const document of ledger.open(page)) ledger.settle(document, 'published');
            return ledger.pageResult(page);
          },
        },
      });
      // The second execution reads the ledger, and holds for the same reason.
      while (!run.calls.includes('read')) {
        await until(isIn(run, 'holding'));
        // One that comes between two executions may be refused: the second tries by itself.
        await run.ask('retry').catch(() => 0);
      }
      await until(isIn(run, 'holding'));
      isProved = true;
      await run.ask('retry');
      await run.result();
      expect(run.calls.filter((call) => call === 'load')).toHaveLength(1);
      expect(run.audits[0]?.interventions).toHaveLength(run.calls.filter((call) => call === 'retry').length);
      expect(await run.progress()).toMatchObject({ planned: 6, published: 6 });
    } finally {
      await other.stop();
      await server.stop();
    }
  });
});
