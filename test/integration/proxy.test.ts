import { connect } from '../../client/index';
import { loadTemporalConfiguration } from '../../configuration/temporal';
import { checkTemporal } from '../../inspection/doctor/temporal';
import { testServers } from '../support/servers';
import { until } from '../support/until';

/** In one case and the other: gRPC takes only the first of them, Temporal's Rust core neither. */
const VARIABLES = ['http_proxy', 'https_proxy', 'grpc_proxy', 'HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY'];

test('a proxy in the environment means nothing to Temporal’s address, for any command', async () => {
  const before = { ...process.env };
  for (const name of VARIABLES) process.env[name] = 'http://127.0.0.1:1';
  try {
    const temporal = loadTemporalConfiguration({ TEMPORAL_ADDRESS: testServers().temporalAddress });
    const { client, close } = await connect({ temporal });
    await client.workflowService.getSystemInfo({});
    await close();
    // A server that has much to do may not answer in time; over a proxy it never would.
    await until(async () => (await checkTemporal(temporal)).every(({ status }) => status !== 'fail'));
  } finally {
    process.env = before;
  }
});
