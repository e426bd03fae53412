import { randomUUID } from 'node:crypto';
import { ApplicationFailure, CancelledFailure, Context } from '@temporalio/activity';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import type {
  Activities,
  LoadMachinesResult,
  PageResult,
  PersistAuditInput,
  SweepInput,
  SweepResult,
} from '../../contract/activities';
import type { ControlResult, DocumentSelection, UpdateName } from '../../contract/control';
import { type FailureType, isRetryable } from '../../contract/failures';
import type { FleetActivities } from '../../contract/fleet-activities';
import type { RepublishInput } from '../../contract/input';
import { PROGRESS_QUERY, WORKFLOW_TYPE } from '../../contract/names';
import type { Progress } from '../../contract/progress';
import { MemoryLedger, type MemoryLedgerOptions, outcomesOf } from './memory-ledger';
import { testServers } from './servers';
import { runWorkflowsInThisThread } from './workflow-threads';

runWorkflowsInThisThread();

type OwnActivities = Omit<Activities, keyof FleetActivities>;

/** What the steps of one run do; each may be replaced while the run goes on. */
export interface Steps {
  load(ledger: MemoryLedger, after: Parameters<MemoryLedger['load']>[0]): Promise<LoadMachinesResult>;
  prove(): Promise<void>;
  page(page: number, ledger: MemoryLedger): Promise<PageResult>;
  sweep(input: SweepInput, ledger: MemoryLedger): Promise<SweepResult>;
}

/** A run of the real workflow on a real Temporal server; its activities work on a ledger in memory. */
export interface FlowRun {
  ledger: MemoryLedger;
  steps: Steps;
  /** Names of the activities that have begun an attempt, with the page where it is one. */
  calls: string[];
  audits: PersistAuditInput[];
  handle: WorkflowHandle;
  progress(): Promise<Progress>;
  ask(name: UpdateName, selection?: DocumentSelection): Promise<number>;
  result(): Promise<unknown>;
}

export interface Flow {
  client: Client;
  start(options?: FlowOptions): Promise<FlowRun>;
  stop(): Promise<void>;
}

export interface FlowOptions extends MemoryLedgerOptions {
  steps?: Partial<Steps>;
  request?: Partial<RepublishInput>;
  ledger?: MemoryLedger;
}

/** A failure as the real activities throw it. The catalogue says whether it is retried. */
export function failure(type: FailureType, nextRetryDelayMs?: number): ApplicationFailure {
  return ApplicationFailure.create({
    type,
    message: `it was ${type}`,
    nonRetryable: !isRetryable(type),
    ...(nextRetryDelayMs === undefined ? {} : { nextRetryDelay: nextRetryDelayMs }),
  });
}

/** Works until it is cancelled; then resolves. */
export async function untilCancelled(): Promise<void> {
  const { cancelled } = Context.current();
  await cancelled.catch((error: unknown) => {
    if (!(error instanceof CancelledFailure)) throw error;
  });
}

let isQuiet = false;

/**
 * What fails in these tests is meant to fail, and each step of a worker would be told: only trouble of the
 * SDK itself is.
 */
function quiet(): void {
  if (!isQuiet) Runtime.install({ logger: new DefaultLogger('ERROR') });
  isQuiet = true;
}

export async function startFlow(temporalAddress = testServers().temporalAddress): Promise<Flow> {
  quiet();
  const connection = await Connection.connect({ address: temporalAddress });
  const client = new Client({ connection });
  const native = await NativeConnection.connect({ address: temporalAddress });
  const taskQueue = `flow-${randomUUID()}`;
  const runs = new Map<string, FlowRun>();
  const worker = await Worker.create({
    connection: native,
    taskQueue,
    workflowBundle: { codePath: testServers().bundlePath },
    activities: activitiesOf(client, () => {
      const run = runs.get(Context.current().info.workflowExecution?.workflowId ?? '');
      if (run === undefined) throw new Error('no such run');
      return run;
    }),
    // Cancellation travels on heartbeats.
    maxHeartbeatThrottleInterval: 100,
    defaultHeartbeatThrottleInterval: 100,
  });
  const running = worker.run();
  return {
    client,
    async start({ steps, request, ledger, ...options } = {}) {
      const workflowId = `flow-${randomUUID()}`;
      const handle = client.workflow.getHandle(workflowId);
      const run: FlowRun = {
        ledger: ledger ?? new MemoryLedger(options),
        steps: { ...PLAIN_STEPS, ...steps },
        calls: [],
        audits: [],
        handle,
        progress: () => handle.query<Progress>(PROGRESS_QUERY),
        async ask(name, selection = {}) {
          const { documents } = await handle.executeUpdate<ControlResult, [DocumentSelection]>(name, {
            args: [selection],
          });
          return documents;
        },
        result: () => handle.result(),
      };
      runs.set(workflowId, run);
      const args = [{ operatorUserId: 'op', ...request }];
      await client.workflow.start(WORKFLOW_TYPE, { workflowId, taskQueue, args });
      return run;
    },
    async stop() {
      worker.shutdown();
      await running;
      await native.close();
      await connection.close();
    },
  };
}

/** All goes well. */
const PLAIN_STEPS: Steps = {
  load: async (ledger, after) => ledger.load(after),
  prove: async () => undefined,
  async page(page, ledger) {
    for (const document of ledger.open(page)) ledger.settle(document, 'published');
    return ledger.pageResult(page);
  },
  sweep: async ({ blocked }, ledger) => ({
    ...ledger.view(),
    swept: blocked === true || ledger.open().length === 0,
  }),
};

const AUDIT_HEAD = '0'.repeat(64);

function activitiesOf(client: Client, runOf: () => FlowRun): OwnActivities {
  /** Beats, and notes that it was called. */
  const during = async <T>(call: string, work: (run: FlowRun) => Promise<T>): Promise<T> => {
    const run = runOf();
    run.calls.push(call);
    const context = Context.current();
    const beat = setInterval(() => context.heartbeat(), 50);
    try {
      return await work(run);
    } finally {
      clearInterval(beat);
    }
  };
  return {
    loadMachines: ({ after }) => during('load', ({ steps, ledger }) => steps.load(ledger, after)),
    proveSigner: () => during('prove', ({ steps }) => steps.prove()),
    republishDocuments: ({ page }) => during(`page ${page}`, ({ steps, ledger }) => steps.page(page, ledger)),
    settlePage: ({ page, failure }) =>
      during(`settle ${page}`, async ({ ledger }) => {
        ledger.fail(page, failure);
        return ledger.pageResult(page);
      }),
    readLedger: ({ resumed }) =>
      during(resumed ? 'read, resumed' : 'read', async ({ ledger }) => ledger.view()),
    retryDocuments: ({ selection }) => during('retry', async ({ ledger }) => ledger.retry(selection)),
    skipDocuments: ({ selection }) => during('skip', async ({ ledger }) => ledger.skip(selection)),
    sweep: (input) =>
      during(input.blocked ? 'sweep, blocked' : 'sweep', ({ steps, ledger }) => steps.sweep(input, ledger)),
    persistAudit: (input) =>
      during('audit', async ({ ledger, audits }) => {
        audits.push(input);
        for (const document of ledger.open())
          ledger.settle(
            document,
            'failed',
            input.cause ?? { type: input.cancelled ? 'Interrupted' : 'NotAttempted', message: 'open' },
          );
        const { counts, failures } = ledger.view();
        const outcomes = outcomesOf(counts);
        const failed = Object.values(outcomes).reduce((sum, ofType) => sum + ofType.failed, 0);
        return { packedEvents: {}, counts: outcomes, failures, failed, auditHead: AUDIT_HEAD };
      }),
    async requestCancellation() {
      await client.workflow.getHandle(Context.current().info.workflowExecution?.workflowId ?? '').cancel();
    },
  };
}
