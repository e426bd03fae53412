import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { TemporalUnavailable } from '../../client/errors';
import { startTemporalServer } from '../../embedded/temporal-server/start';
import { fails } from '../support/fails';
import { republishInTerminal } from '../support/pseudo-terminal';
import { startSaga } from '../support/saga';
import { testServers } from '../support/servers';
import { until } from '../support/until';

test('Temporal that goes away while somebody waits: said, waited for within a bound, and followed when it is back', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'republish-away-'));
  const options = {
    executable: testServers().temporalCli,
    headless: true,
    dbFilename: path.join(directory, 'temporal.db'),
  };
  let temporal = await startTemporalServer(options);
  const saga = await startSaga({ temporalAddress: temporal.address });
  const port = Number(temporal.address.split(':')[1]);
  try {
    // Without a worker the run waits for as long as the test needs.
    const run = await saga.start('op-without-worker');
    const patient = republishInTerminal(['watch', 'op-without-worker'], { env: saga.env, columns: 120 });
    const impatient = republishInTerminal(['start', 'op-without-worker', '--patience', '1'], {
      env: saga.env,
    });
    saga.onStop(() => Promise.all([patient.stop(), impatient.stop()]));
    for (const terminal of [patient, impatient])
      await until(() => terminal.screen().includes('NoWorker: nobody polls'), 45_000);

    temporal.kill('SIGKILL');
    await temporal.exited;
    const gaveUp = fails(TemporalUnavailable, run.result({ patienceMs: 0 }));
    expect(await impatient.ended).toBe(5);
    const said = impatient.screen().replaceAll('\n', '');
    expect(said).toContain('error: TemporalUnavailable: Temporal has not answered at 127.0.0.1');
    expect(said).toContain('The run is not affected');
    expect(said).not.toMatch(/ at .*\.js:\d+|\[object|grpc/i);
    expect((await gaveUp).message).toContain('The run is not affected');
    await until(() => patient.screen().includes('Temporal has not answered since'), 45_000);

    temporal = await startTemporalServer({ ...options, port });
    // A screen may be seen while it is written.
    await until(() => {
      const screen = patient.screen();
      return screen.includes('NoWorker: nobody polls') && !screen.includes('Temporal has not answered');
    }, 60_000);
    patient.type('\u0003');
    expect(await patient.ended).toBe(130);
  } finally {
    await saga.stop();
    await temporal.stop();
    await rm(directory, { recursive: true, force: true });
  }
}, 240_000);
