import { mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import path from 'node:path';
import { checkTemporalCli, TEMPORAL_CLI_VERSION, type Found } from './executable';
import { run } from '../run';
import { parsedUrl } from '../../rules/url';

const PROBE_TIMEOUT_MS = 2_500;
const DOWNLOAD_TIMEOUT_MS = 120_000;
const VERSION_TIMEOUT_MS = 15_000;

/** The host of the SDK's download. The address is built into its native part. */
const DOWNLOAD_HOST = 'temporal.download';

/**
 * The SDK only downloads when it starts a server, so this program starts one and stops it. It runs in a
 * process of its own, for two reasons. The SDK's runtime exists once for each process, and its first use
 * fixes the logging and the metrics of a later worker. And a process can be killed when it takes too long.
 */
const DOWNLOAD_PROGRAM = `
  const [testing, downloadDir, version] = process.argv.slice(1);
  const executable = { type: 'cached-download', downloadDir, version };
  require(testing).TestWorkflowEnvironment.createLocal({ server: { executable, ip: '127.0.0.1', ui: false } })
    .then((environment) => environment.teardown())
    .catch((error) => { console.error(String(error.message).split('\\n').join(' ')); process.exit(1); });
`;

/**
 * Gets the Temporal CLI by the SDK's download and moves it to `target`. The folder of `target` must exist.
 */
export async function downloadThroughSdk(target: string, env: NodeJS.ProcessEnv): Promise<Found> {
  let testing: string;
  try {
    testing = require.resolve('@temporalio/testing');
  } catch {
    return { why: 'the optional package @temporalio/testing is not installed' };
  }
  const unreachable = await probe(env);
  if (unreachable !== undefined) return { why: unreachable };
  const staging = await mkdtemp(path.join(path.dirname(target), 'sdk-'));
  try {
    const { ok, reason } = await run(
      process.execPath,
      ['-e', DOWNLOAD_PROGRAM, testing, staging, `v${TEMPORAL_CLI_VERSION}`],
      { env, timeoutMs: DOWNLOAD_TIMEOUT_MS },
    );
    const name = (await readdir(staging)).find(
      (file) => file.startsWith('temporal-') && !file.endsWith('.downloading'),
    );
    // The file counts, also if the server did not start.
    if (name === undefined) return { why: `the SDK's download failed: ${ok ? 'it left no file' : reason}` };
    const checked = await checkTemporalCli(path.join(staging, name), env, VERSION_TIMEOUT_MS);
    if ('why' in checked) return checked;
    await rename(path.join(staging, name), target);
    return { path: target };
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** A quick check why the download cannot work. Undefined: the host, or the proxy, accepts a connection. */
async function probe(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const proxy = env['HTTPS_PROXY'] ?? env['https_proxy'] ?? env['ALL_PROXY'] ?? env['all_proxy'];
  let host = DOWNLOAD_HOST;
  let port = 443;
  if (proxy !== undefined && proxy !== '') {
    const url = parsedUrl(proxy);
    if (url === undefined) return 'the proxy address in the environment is not a URL';
    host = url.hostname.replace(/^\[|\]$/g, '');
    port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80);
  }
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const finish = (why?: string): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(why);
    };
    // Not the timeout of the socket: it only starts after the name is resolved.
    const timer = setTimeout(
      () => finish(`no connection to ${host}:${port} within ${PROBE_TIMEOUT_MS / 1000} s`),
      PROBE_TIMEOUT_MS,
    );
    socket.once('connect', () => finish());
    socket.once('error', (error: NodeJS.ErrnoException) => {
      finish(`no connection to ${host}:${port} (${error.code ?? error.message})`);
    });
  });
}
