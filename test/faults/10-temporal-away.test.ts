import { freePort } from '../../embedded/free-port';
import { connect } from '../../client/connect';
import { TemporalUnavailable } from '../../client/errors';
import { republish } from '../support/command-line';
import { fails } from '../support/fails';

test('10: Temporal unreachable when a caller starts: an error that names the address and the remedy', async () => {
  const address = `127.0.0.1:${await freePort()}`;
  const { code, stdout, stderr } = await republish(['start', 'operator-1', '--json'], {
    TEMPORAL_ADDRESS: address,
  });
  expect({ code, stdout }).toEqual({ code: 5, stdout: '' });
  expect(stderr).toContain(address);
  expect(stderr).toContain('TEMPORAL_ADDRESS');
  expect(stderr).not.toMatch(/^\s+at /m);
}, 60_000);

test('10: the library says the same as an error of its own type, within its bound', async () => {
  const address = `127.0.0.1:${await freePort()}`;
  const temporal = { connection: { address }, namespace: 'default', address };
  const error = await fails(TemporalUnavailable, connect({ temporal }));
  expect(error.message).toContain(address);
  expect(error.message).toContain('TEMPORAL_ADDRESS');
}, 60_000);
