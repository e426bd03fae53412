import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { republishOperatorConfigs, RepublishFailed } from '../../client/index';
import { fails } from '../support/fails';
import { type Saga, startSaga } from '../support/saga';

/** What a migration script imports, by the package's own name and as it is built. */
describe('republish-operator-configs/client', () => {
  let saga: Saga;

  beforeAll(async () => {
    saga = await startSaga();
    await saga.startWorker();
  });
  afterAll(() => saga.stop());

  const script = async (source: string, kind: 'module' | 'commonjs'): Promise<unknown> => {
    const { stdout } = await promisify(execFile)(process.execPath, [`--input-type=${kind}`, '-e', source], {
      cwd: path.resolve(__dirname, '../..'),
      env: { PATH: process.env.PATH, ...saga.env },
    });
    return JSON.parse(stdout);
  };

  test('one line in an ES module and in CommonJS, with the connection from the environment', async () => {
    const { id } = await saga.addOperator({ machines: 1 });
    const fromModule = await script(
      `import { republishOperatorConfigs } from 'republish-operator-configs/client';
       const events = await republishOperatorConfigs('${id}');
       console.log(JSON.stringify(events));`,
      'module',
    );
    expect(Object.values(fromModule as Record<string, string[]>).flat()).toHaveLength(2);
    const fromCommonJs = await script(
      `const { republishOperatorConfigs } = require('republish-operator-configs/client');
       republishOperatorConfigs('${id}').then((events) => console.log(JSON.stringify(events)));`,
      'commonjs',
    );
    expect(fromCommonJs).toEqual(fromModule);
  });

  test('with a client of its own, and a failure that says what stands and what to do', async () => {
    const { id, machines } = await saga.addOperator({ machines: 1 });
    const options = { client: saga.client, taskQueue: saga.env.REPUBLISH_TASK_QUEUE ?? '' };
    await saga.database.query('UPDATE bitspire_fees SET fixed_fee = -1 WHERE machine_id = $1', [
      machines[0]?.id,
    ]);
    const failure = await fails(RepublishFailed, republishOperatorConfigs(id, options));
    expect(failure).toMatchObject({
      type: 'RepublishIncomplete',
      published: { 'bitspire-cassettes': [expect.any(String)], 'bitspire-fees': [] },
      failures: [{ type: 'StateInvalid', documentType: 'bitspire-fees', machineId: machines[0]?.id }],
    });
    expect(failure.message).toContain('StateInvalid');
  });
});
