import { mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import path from 'node:path';
import { checkTemporalCli, TEMPORAL_CLI_VERSION, type Found } from './executable';
import { run } from '../run';

const PROBE_TIMEOUT_MS = 2_500;
const DOWNLOAD_TIMEOUT_MS = 120_000;
const VERSION_TIMEOUT_MS = 15_000;

/** Where the SDK downloads from (its native part has the address built in). */
const DOWNLOAD_HOST = 'temporal.download';

/**
 * The SDK downloads only in order to start a server, so one is started and stopped. In a process of its own:
 * the SDK's runtime is one per process, and the first to use it fixes its logging and metrics for the worker
 * that comes later; and a process can be killed when it takes too long.
 */
const DOWNLOAD_PROGRAM = `
  const [testing, downloadDir, version] = process.argv.slice(1);
  const executable = { type: 'cached-download', downloadDir, version };
  require(testing).TestWorkflowEnvironment.createLocal({ server: { executable, ip: '127.0.0.1', ui: false } })
    .then((environment) => environment.teardown())
    .catch((error) => { console.error(String(error.message).split('\\n').join(' ')); process.exit(1); });
`;

/** The Temporal CLI by the SDK's own download. Moves it to `target`, in a folder that exists. */
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
    // A download that succeeded counts, also when the server it was started as did not.
    if (name === undefined) return { why: `the SDK's download failed: ${ok ? 'it left no file' : reason}` };
    const checked = await checkTemporalCli(path.join(staging, name), env, VERSION_TIMEOUT_MS);
    if ('why' in checked) return checked;
    await rename(path.join(staging, name), target);
    return { path: target };
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/**
 * Why the download cannot work, found out quickly; undefined when a connection (to the proxy, if there is
 * one) stands.
 */
async function probe(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const proxy = env['HTTPS_PROXY'] ?? env['https_proxy'] ?? env['ALL_PROXY'] ?? env['all_proxy'];
  let host = DOWNLOAD_HOST;
  let port = 443;
  if (proxy !== undefined && proxy !== '') {
    if (!URL.canParse(proxy)) return 'the proxy address in the environment is not a URL';
    const url = new URL(proxy);
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
    // Not the socket's own timeout: that one starts only after the name was resolved.
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
