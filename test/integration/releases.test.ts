import { randomUUID } from 'node:crypto';
import type { Retry } from '../../client/run-steps';
import { APPROVAL_SIGNAL } from '../../contract/control';
import { dTag } from '../../documents/document-type';
import { documentTypes } from '../../documents/registry';
import { bitspireOperatorHours } from '../support/bitspire-operator-hours';
import { addOperatorWithCanaries, runUnderFault } from '../support/fault-run';
import { type Saga, type SagaOperator, startSaga } from '../support/saga';
import { bundleWorkflows } from '../support/servers';
import { until } from '../support/until';

/**
 * Workers of two builds. "Today" is the workflow of the sources, "later" the same with steps more, guarded by
 * `patched()`, "careless" the same with a step more that is not (test/support/releases).
 */
describe('two builds', () => {
  let saga: Saga;
  let later: string;
  let careless: string;

  beforeAll(async () => {
    later = await bundleWorkflows('releases/later.ts');
    careless = await bundleWorkflows('releases/careless.ts');
  }, 90_000);

  // Each test has a task queue of its own: a queue that once had a versioned worker gives no task to a worker
  // without a version.
  beforeEach(async () => {
    saga = await startSaga();
    // Longer than anything here takes: what is done twice is to be done twice because of the release.
    Object.assign(saga.env, {
      REPUBLISH_BUNKER_TIMEOUT_MS: '120000',
      REPUBLISH_RELAY_TIMEOUT_MS: '20000',
      REPUBLISH_HEARTBEAT_TIMEOUT_MS: '30000',
      REPUBLISH_DOCUMENT_TIMEOUT_MS: '120000',
    });
  }, 60_000);
  afterEach(() => saga.stop(), 60_000);

  /**
   * An operator whose bunker signs `first` documents and then waits for `open`, so that the run is in its
   * middle until then.
   */
  async function operatorInTheMiddle(machines: number, first: number) {
    const operator = await addOperatorWithCanaries(saga, { machines });
    let signed = 0;
    let open: () => void = () => undefined;
    const opened = new Promise<undefined>((resolve) => (open = () => resolve(undefined)));
    operator.bunker.setFaults(({ method }) => {
      if (method !== 'sign_event') return undefined;
      signed += 1;
      return signed <= first ? undefined : opened;
    });
    return { operator, open, untilMiddle: () => until(() => signed > first, 120_000) };
  }

  const signatures = ({ bunker }: SagaOperator): unknown[] =>
    bunker.requests.filter(({ method }) => method === 'sign_event').map(({ params }) => params[0]);

  /** What of a run's history tells which build decided, and whether one could not. */
  async function decisionsOf(workflowId: string, runId: string) {
    const { events } = await saga.client.workflow.getHandle(workflowId, runId).fetchHistory();
    const builds: string[] = [];
    const failures: string[] = [];
    const patches: string[] = [];
    for (const event of events ?? []) {
      const { workflowTaskCompletedEventAttributes: completed } = event;
      if (completed) builds.push(completed.deploymentVersion?.buildId ?? '');
      const message = event.workflowTaskFailedEventAttributes?.failure?.message;
      if (message) failures.push(message);
      const marker = event.markerRecordedEventAttributes?.details?.['patch-data']?.payloads?.[0]?.data;
      const patch = marker && (JSON.parse(Buffer.from(marker).toString()) as { id: string }).id;
      if (patch) patches.push(patch);
    }
    return { builds: builds.filter((build, n) => build !== builds[n - 1]), failures, patches };
  }

  describe('with Worker Versioning', () => {
    /**
     * A deployment is made known by its first worker and stays on the server: each test has one of its own.
     */
    function newDeployment() {
      const deploymentName = `republish-${randomUUID().slice(0, 8)}`;
      return {
        startBuild: (buildId: string, bundlePath?: string) =>
          saga.startWorker({
            env: { REPUBLISH_DEPLOYMENT: deploymentName, REPUBLISH_BUILD_ID: buildId },
            ...(bundlePath === undefined ? {} : { bundlePath }),
          }),
        /**
         * As `temporal worker deployment set-current-version` does. The server takes a moment to see a new
         * build.
         */
        setCurrent: (buildId: string) =>
          until(
            () =>
              saga.client.workflowService
                .setWorkerDeploymentCurrentVersion({ namespace: 'default', deploymentName, buildId })
                .then(
                  () => true,
                  () => false,
                ),
            30_000,
          ),
      };
    }

    test('an upgrade in the middle of 40 documents: the run moves to the new build, nothing twice, nothing lost', async () => {
      const deployment = newDeployment();
      const old = await deployment.startBuild('1.0.0');
      await deployment.setCurrent('1.0.0');
      const { operator, open, untilMiddle } = await operatorInTheMiddle(20, 8);

      const { run, ids } = await runUnderFault(saga, operator, {
        during: async () => {
          await untilMiddle();
          await deployment.startBuild('1.1.0', later);
          await deployment.setCurrent('1.1.0');
          const stopping = old.stop();
          open();
          await stopping;
        },
      });

      expect(ids).toHaveLength(40);
      expect(signatures(operator)).toHaveLength(40);
      expect(new Set(signatures(operator)).size).toBe(40);
      expect(await decisionsOf(run.workflowId, run.runId)).toEqual({
        builds: ['1.0.0', '1.1.0'],
        failures: [],
        // What lay before the upgrade is replayed as it was; what came after is the new release's.
        patches: ['later-release-after'],
      });
    }, 300_000);

    test('a careless release: the run stands still instead of going wrong, and goes on with the old build', async () => {
      const deployment = newDeployment();
      await deployment.startBuild('1.0.0');
      await deployment.setCurrent('1.0.0');
      const { operator, open, untilMiddle } = await operatorInTheMiddle(8, 5);

      const { run, ids } = await runUnderFault(saga, operator, {
        during: async ({ runId, workflowId }) => {
          await untilMiddle();
          const bad = await deployment.startBuild('1.1.0', careless);
          await deployment.setCurrent('1.1.0');
          // Not every part of the server knows a new current build at once, and the run must not end before
          // it: it stays in its middle, and each signal gives it a task.
          const handle = saga.client.workflow.getHandle(workflowId, runId);
          await until(async () => {
            await handle.signal(APPROVAL_SIGNAL, { of: 'nobody' });
            return (await decisionsOf(workflowId, runId)).failures.length > 0;
          }, 60_000);
          await deployment.setCurrent('1.0.0');
          await bad.stop();
          open();
        },
      });

      expect(ids).toHaveLength(16);
      const { builds, failures } = await decisionsOf(run.workflowId, run.runId);
      expect(builds).toEqual(['1.0.0']);
      expect(failures[0]).toMatch(/nondeterminism/i);
    }, 300_000);
  });

  describe('without Worker Versioning, beside each other on one task queue', () => {
    test('documents of a type that the older one does not know wait for a newer one', async () => {
      await saga.database.query(
        'CREATE TABLE spirekeeper.bitspire_operator_hours (machine_id text PRIMARY KEY, timezone text, opens text, closes text)',
      );
      // Small pages: those of the second half are begun when the newer worker has stopped.
      const env = { REPUBLISH_DOCUMENTS_PER_PAGE: '5' };
      const newRelease = { env, documentTypes: [...documentTypes, bitspireOperatorHours] };
      const newer = await saga.startWorker(newRelease);
      const { operator, open, untilMiddle } = await operatorInTheMiddle(10, 3);
      await saga.database.query(
        "INSERT INTO spirekeeper.bitspire_operator_hours SELECT id, 'Europe/Vienna', '08:00', '20:00' FROM spirekeeper.dca_machines",
      );
      const hours = '{"timezone":"Europe/Vienna","opens":"08:00","closes":"20:00"}';
      const states = operator.machines.map(
        ({ atmPubkey }) => [dTag('bitspire-operator-hours', atmPubkey), hours] as const,
      );
      const { ids, failure } = await runUnderFault(saga, operator, {
        check: { earlierStates: [new Map(states)] },
        during: async (run) => {
          await untilMiddle();
          const older = await saga.startWorker({ env });
          const stopping = newer.stop();
          open();
          await stopping;
          const isHandedBack = ({ activity, type }: Retry): boolean =>
            activity === 'republishDocuments' && type === 'WorkerOutdated';
          await until(async () => (await run.status()).retrying.some(isHandedBack), 120_000);
          await saga.startWorker(newRelease);
          await older.stop();
        },
      });
      expect(failure).toBeUndefined();
      expect(ids).toHaveLength(30);
    }, 300_000);

    test('a run of a later release: an older worker cannot go on with it, says so, and decides nothing', async () => {
      const newer = await saga.startWorker({ bundlePath: later });
      const { operator, open, untilMiddle } = await operatorInTheMiddle(8, 5);
      const { run, ids } = await runUnderFault(saga, operator, {
        during: async ({ runId, workflowId }) => {
          await untilMiddle();
          const older = await saga.startWorker();
          const stopping = newer.stop();
          open();
          await stopping;
          await until(async () => (await decisionsOf(workflowId, runId)).failures.length > 0, 60_000);
          await saga.startWorker({ bundlePath: later });
          await older.stop();
        },
      });
      expect(ids).toHaveLength(16);
      const decisions = await decisionsOf(run.workflowId, run.runId);
      expect(decisions.patches).toEqual(['later-release-before', 'later-release-after']);
      expect(decisions.failures[0]).toMatch(/nondeterminism/i);
    }, 300_000);
  });
});
