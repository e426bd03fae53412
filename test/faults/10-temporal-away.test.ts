import { freePort } from '../../embedded/free-port';
import { connect } from '../../client/connect';
import { TemporalUnavailable } from '../../client/errors';
import { republish } from '../support/command-line';
import { fails } from '../support/fails';

/** As long as a caller is told to wait at most, and what a process needs to start on a busy machine. */
const WITHIN_MS = 5_000 + 3_000;

test('10: Temporal unreachable when a caller starts: an error that names the address and the remedy, within its bound', async () => {
  const address = `127.0.0.1:${await freePort()}`;
  const startedAtMs = Date.now();
  const { code, stdout, stderr } = await republish(['start', 'operator-1', '--json'], {
    TEMPORAL_ADDRESS: address,
  });
  expect(Date.now() - startedAtMs).toBeLessThan(WITHIN_MS);
  expect({ code, stdout }).toEqual({ code: 5, stdout: '' });
  expect(stderr).toContain(address);
  expect(stderr).toContain('TEMPORAL_ADDRESS');
  expect(stderr).not.toMatch(/^\s+at /m);
}, 30_000);

test('10: the library says the same as an error of its own type', async () => {
  const address = `127.0.0.1:${await freePort()}`;
  const temporal = { connection: { address }, namespace: 'default', address };
  const error = await fails(TemporalUnavailable, connect({ temporal }));
  expect(error.message).toContain(address);
  expect(error.message).toContain('TEMPORAL_ADDRESS');
}, 30_000);
