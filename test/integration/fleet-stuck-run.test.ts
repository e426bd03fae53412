import { randomUUID } from 'node:crypto';
import { workflowIdFor } from '../../contract/names';
import { begunRuns } from '../../client/end';
import { RepublishFailed } from '../../client/errors';
import type { FleetRun } from '../../client/fleet';
import { findRepublish } from '../../client/start';
import { type CommandResult, republish } from '../support/command-line';
import { fails } from '../support/fails';
import { addOperators, startFleetOf, startPatientSaga } from '../support/fleet';
import { Gate } from '../support/gate';
import type { Saga } from '../support/saga';
import { until } from '../support/until';

const LONG_MS = 60_000;

describe('a fleet with a run that no worker can continue', () => {
  let saga: Saga;
  const gate = new Gate();
  const deploymentName = `republish-${randomUUID().slice(0, 8)}`;

  beforeAll(async () => {
    saga = await startPatientSaga();
    // Temporal pins a run only to a build that it knows: the lost build was there once.
    const lost = await startBuild('1.0.0');
    await startBuild('2.0.0');
    await lost.stop();
  }, 120_000);
  afterEach(() => gate.open());
  afterAll(() => saga.stop());

  /** A worker of this build, to which Temporal from now on gives new runs. */
  async function startBuild(buildId: string): Promise<{ stop(): Promise<void> }> {
    const worker = await saga.startWorker({
      env: { REPUBLISH_DEPLOYMENT: deploymentName, REPUBLISH_BUILD_ID: buildId },
    });
    const { workflowService } = saga.client;
    const setCurrent = (): Promise<boolean> =>
      workflowService
        .setWorkerDeploymentCurrentVersion({ namespace: 'default', deploymentName, buildId })
        .then(() => true)
        .catch(() => false);
    await until(setCurrent, LONG_MS);
    return worker;
  }

  /** From now on only a worker of that build can continue the run, and none has it. */
  async function pinToLostBuild(operator: string): Promise<void> {
    await saga.client.workflowService.updateWorkflowExecutionOptions({
      namespace: 'default',
      workflowExecution: { workflowId: workflowIdFor(operator) },
      workflowExecutionOptions: {
        versioningOverride: {
          pinned: { behavior: 1, version: { deploymentName, buildId: '1.0.0' } },
        },
      },
      updateMask: { paths: ['versioning_override'] },
    });
  }

  /** A fleet of three, one at a time: the run of the first makes no progress, the others are not begun. */
  async function startStuck(): Promise<{ fleet: FleetRun; ids: string[]; stuck: string }> {
    gate.close();
    const operators = await addOperators(saga, 3, { machines: 1, bunker: { onRequest: gate.onRequest } });
    const ids = operators.map(({ id }) => id);
    const [stuck = ''] = ids;
    const fleet = await startFleetOf(saga, { operators: ids, operatorsAtOnce: 1 });
    await until(
      () => operators[0]?.bunker.requests.some(({ method }) => method === 'sign_event') ?? false,
      LONG_MS,
    );
    await pinToLostBuild(stuck);
    return { fleet, ids, stuck };
  }

  const fleetCommand = (...args: string[]): Promise<CommandResult> => republish(['fleet', ...args], saga.env);

  test('the controls name it; the fleet is not ended, and ends when that run is ended', async () => {
    const { fleet, stuck } = await startStuck();
    const paused = await fleetCommand('pause', '--json');
    expect(paused.code).toBe(0);
    expect(JSON.parse(paused.stdout)).toMatchObject({ operators: 0, unanswered: [stuck] });
    expect(paused.stderr).toContain(`${stuck} did not answer`);
    expect(paused.stderr).toContain(`republish end ${stuck}`);

    const cancelled = await fleetCommand('cancel');
    expect(cancelled.code).toBe(1);
    expect(cancelled.stderr).toContain('not ended yet: the fleet is cancelled');
    expect(cancelled.stderr).toContain(`republish end ${stuck}`);

    await until(async () => (await fleet.status()).obstacles.length > 0, LONG_MS);
    const status = await fleetCommand('status');
    expect(status.stdout).toMatch(new RegExp(`${stuck} does not move: (NoWorkerOfRelease|WorkerSilent): `));
    expect(status.stdout).toContain(`republish end ${stuck}`);

    // The fleet is cancelled already: the way out must not lead back to `cancel`.
    const refused = await fleetCommand('end');
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).not.toContain('fleet cancel');
    expect(refused.stderr).toContain(`republish end ${stuck}`);

    expect((await republish(['end', stuck, '--yes'], saga.env)).code).toBe(0);
    expect(await fails(RepublishFailed, fleet.result())).toMatchObject({ type: 'Cancelled' });
    const ended = await fleetCommand('status');
    expect(ended.stdout).toContain('(0 incomplete, 1 failed, 0 cancelled), 2 not begun');
    expect(ended.stdout).not.toContain('waiting');
  }, 180_000);

  test('the audit of the fleet that is ended counts the run as running, and the others as not begun', async () => {
    const { fleet, stuck } = await startStuck();
    const { runId } = await findRepublish(saga.client, stuck);
    const ended = await fleetCommand('end', '--yes', '--json');
    expect(ended.code).toBe(0);
    expect(JSON.parse(ended.stdout)).toMatchObject([
      { runId: fleet.runId, operators: { complete: 0, failed: 0, running: 1, notBegun: 2 } },
    ]);
    expect(ended.stderr).toContain(`continues: ${stuck} (run ${runId})`);
    // Temporal has the run also where the ledger does not.
    expect(await begunRuns(saga.client, fleet)).toEqual([{ operatorUserId: stuck, runId }]);
    const status = await fleetCommand('status');
    expect(status.stdout).toContain(', 1 in work when it ended, 2 not begun');
    expect(status.stdout).not.toMatch(/running|waiting|does not move/);
    expect((await republish(['end', stuck, '--yes'], saga.env)).code).toBe(0);
    expect(await begunRuns(saga.client, fleet)).toEqual([]);
  }, 120_000);
});
