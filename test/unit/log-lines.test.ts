import { spawnSync } from 'node:child_process';
import { programThatReadsTypeScript } from '../support/child-program';

/** Nothing that a thread of Node's pool should do is done before the process ends. */
const BUSY_POOL = "require('node:crypto').pbkdf2('', '', 500_000, 64, 'sha512', () => undefined);";

test('a worker that ends has written its last lines, in their order', () => {
  const { status, stderr } = spawnSync(
    process.execPath,
    [
      '-e',
      programThatReadsTypeScript(`
        const logger = require('./worker/logging').createLogger('info');
        ${BUSY_POOL}
        logger.info('first');
        logger.fatal('last');
        process.exit(5);`),
    ],
    { env: { ...process.env, UV_THREADPOOL_SIZE: '1' }, encoding: 'utf8' },
  );
  const said = stderr.split('\n').filter((line) => line.startsWith('{'));
  expect(said.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual(['first', 'last']);
  expect(status).toBe(5);
});
