import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { RepublishFailed, TemporalUnavailable } from '../../client/errors';
import { type FleetStatus, startFleet } from '../../client/fleet';
import { startTemporalServer } from '../../embedded/temporal-server/start';
import { fails } from '../support/fails';
import { startSaga } from '../support/saga';
import { testServers } from '../support/servers';
import { until } from '../support/until';

/** Regression: the result of a fleet ended with an error as soon as Temporal was away for a moment. */
test('the watch and the result of a fleet survive Temporal being away, for as long as their patience', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'republish-away-'));
  const options = {
    executable: testServers().temporalCli,
    headless: true,
    dbFilename: path.join(directory, 'temporal.db'),
  };
  let temporal = await startTemporalServer(options);
  const port = Number(temporal.address.split(':')[1]);
  const saga = await startSaga({ temporalAddress: temporal.address });
  try {
    // Without a worker the fleet waits for as long as the test needs.
    const taskQueue = saga.env.REPUBLISH_TASK_QUEUE ?? '';
    const fleet = await startFleet(saga.client, { operators: ['one', 'two'], taskQueue });
    expect(await fleet.currentRunId()).toBe(fleet.runId);
    expect(await fleet.obstacle()).toMatchObject({ type: 'NoWorker' });
    let seen: FleetStatus | undefined;
    const watched = (async () => {
      for await (const status of fleet.watch({ intervalMs: 100 })) seen = status;
    })();
    const ended = fails(RepublishFailed, fleet.result());
    await until(() => seen?.obstacle?.type === 'NoWorker', 45_000);

    temporal.kill('SIGKILL');
    await temporal.exited;
    const gaveUp = await fails(TemporalUnavailable, fleet.result({ patienceMs: 0 }));
    expect(gaveUp.message).toContain('The fleet is not affected');
    await until(() => seen?.unreachableSince != null, 45_000);
    expect(seen).toMatchObject({ runId: fleet.runId, status: 'RUNNING', closedAt: null });

    temporal = await startTemporalServer({ ...options, port });
    await until(() => seen?.unreachableSince === null, 60_000);
    const reason = 'by ada: the run of op-7 (republish status <operator>) hangs';
    await saga.client.workflow.getHandle(fleet.workflowId).terminate(reason);
    expect(await ended).toMatchObject({
      type: 'Terminated',
      // The words of a person stay as they are.
      message: `the fleet was terminated: ${reason}`,
      remedy: expect.stringContaining('republish fleet end') as string,
    });
    await watched;
    expect(seen).toMatchObject({ status: 'TERMINATED', closedAt: expect.any(String), obstacle: null });
  } finally {
    await saga.stop();
    await temporal.stop();
    await rm(directory, { recursive: true, force: true });
  }
}, 240_000);
