import { connect } from 'node:net';
import path from 'node:path';
import { Connection } from '@temporalio/client';
import { sleep } from '../../async/wait';
import { WITHOUT_PROXY } from '../../configuration/temporal';
import { SEARCH_ATTRIBUTES } from '../../contract/names';
import { freePorts } from '../free-port';
import { startProcessGroup, type ProcessGroup } from '../process-group';

const READY_TIMEOUT_MS = 20_000;
const POLL_MS = 50;
const KILL_AFTER_MS = 5_000;
const START_ATTEMPTS = 3;

export interface StartOptions {
  /** Path of the Temporal CLI, see `findTemporalServer`. */
  executable: string;
  /** Default: a free port. To start a stopped server again, give its ports and its `dbFilename`. */
  port?: number;
  uiPort?: number;
  /** SQLite file with the workflows. Default: they are in memory and end with the server. */
  dbFilename?: string;
  /** The file survives a power cut too, not only a killed server. Default: false. */
  durable?: boolean;
  /** Without the web UI. Default: false. */
  headless?: boolean;
  /** Search attributes to register: name to type (`Keyword`, `Text`, `Int`, `Datetime`, ...). */
  searchAttributes?: Record<string, string>;
  /** Dynamic configuration of the server: name, such as `matching.enableFairness`, to a JSON value. */
  dynamicConfig?: Record<string, string>;
  /** A namespace to create. `default` always exists. */
  namespace?: string;
}

/** The search attributes of runs, for `searchAttributes`. */
export function searchAttributeTypes(): Record<string, string> {
  return Object.fromEntries(Object.values(SEARCH_ATTRIBUTES).map((name) => [name, 'Keyword']));
}

export interface TemporalServer {
  /** host:port of the frontend. */
  address: string;
  /** Address of the web UI; empty when headless. */
  uiUrl: string;
  pid: number;
  /** Sends SIGTERM, and SIGKILL after 5 s. Resolves when the server has ended. May be called again. */
  stop(): Promise<void>;
  /** Sends a signal to the server, for fault tests (SIGKILL, SIGSTOP, SIGCONT). */
  kill(signal: NodeJS.Signals): void;
  /** Resolves when the server has ended for any reason. */
  exited: Promise<void>;
}

/**
 * Starts the Temporal dev server on 127.0.0.1 and waits until its frontend serves the namespace. The server
 * ends with this process, also when this process is killed.
 *
 * @throws Error with the server's last lines: it ended while starting, or it is not ready within 20 s
 */
export async function startTemporalServer(options: StartOptions): Promise<TemporalServer> {
  for (let attempt = 1; ; attempt += 1) {
    const [port, uiPort, httpPort, metricsPort] = (await freePorts(4)) as [number, number, number, number];
    const ports = { port: options.port ?? port, uiPort: options.uiPort ?? uiPort, httpPort, metricsPort };
    try {
      return await startOn(ports, options);
    } catch (error) {
      // Somebody else took a port between our look and the start; one that was given stays taken.
      const taken = /address already in use/i.test(String(error)) && options.port === undefined;
      if (!taken || attempt === START_ATTEMPTS) throw error;
    }
  }
}

interface Ports {
  port: number;
  uiPort: number;
  httpPort: number;
  metricsPort: number;
}

async function startOn(ports: Ports, options: StartOptions): Promise<TemporalServer> {
  const server = await startProcessGroup({
    name: 'The Temporal dev server',
    command: options.executable,
    args: commandLine(ports, options),
    env: withoutClientSettings(process.env),
    cwd: process.cwd(),
    orphan: { signal: 'SIGKILL' },
  });
  const stop = (): Promise<void> => server.stop('SIGTERM', KILL_AFTER_MS);
  const address = `127.0.0.1:${ports.port}`;
  try {
    await waitUntilReady(server, address, options.namespace ?? 'default');
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    address,
    uiUrl: options.headless === true ? '' : `http://127.0.0.1:${ports.uiPort}`,
    pid: server.pid,
    stop,
    kill: server.kill,
    exited: server.exited,
  };
}

function commandLine(ports: Ports, options: StartOptions): string[] {
  const args = ['server', 'start-dev', '--ip', '127.0.0.1', '--log-level', 'error'];
  args.push('--port', String(ports.port), '--http-port', String(ports.httpPort));
  args.push('--metrics-port', String(ports.metricsPort));
  args.push(...(options.headless === true ? ['--headless'] : ['--ui-port', String(ports.uiPort)]));
  if (options.dbFilename !== undefined) {
    args.push('--db-filename', path.resolve(options.dbFilename));
    // A killed server loses nothing with either. With `normal` a power cut can lose the last transactions.
    // `full` waits for the disk in each transaction, and the write-ahead log makes that wait shorter.
    // Measured with a run of 200 documents: 12 to 19 s with `normal`, 13 to 15 s with `full` and the log, 19
    // to 21 s without the log.
    const pragmas =
      options.durable === true ? ['journal_mode=wal', 'synchronous=full'] : ['synchronous=normal'];
    for (const pragma of pragmas) args.push('--sqlite-pragma', pragma);
  }
  if (options.namespace !== undefined) args.push('--namespace', options.namespace);
  for (const [name, type] of Object.entries(options.searchAttributes ?? {})) {
    args.push('--search-attribute', `${name}=${type}`);
  }
  for (const [name, value] of Object.entries(options.dynamicConfig ?? {})) {
    args.push('--dynamic-config-value', `${name}=${value}`);
  }
  return args;
}

/**
 * Without TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE and so on: the CLI reads them, and they are for another
 * server.
 */
function withoutClientSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('TEMPORAL_')));
}

async function waitUntilReady(server: ProcessGroup, address: string, namespace: string): Promise<void> {
  const deadlineMs = Date.now() + READY_TIMEOUT_MS;
  let why = 'no attempt yet';
  while (Date.now() < deadlineMs) {
    if (server.hasExited()) {
      await server.exited; // the last of its standard error
      throw new Error(`The Temporal dev server ended while starting: ${server.epitaph()}`);
    }
    try {
      await dial(address);
      const connection = await Connection.connect({
        address,
        connectTimeout: '1s',
        channelArgs: WITHOUT_PROXY,
      });
      try {
        // The frontend accepts connections a moment before it knows its namespaces.
        await connection.withDeadline(Date.now() + 2_000, () =>
          connection.workflowService.describeNamespace({ namespace }),
        );
        return;
      } finally {
        await connection.close();
      }
    } catch (error) {
      why = (error as Error).message;
    }
    await sleep(POLL_MS);
  }
  throw new Error(
    `The Temporal dev server was not ready after ${READY_TIMEOUT_MS / 1000} s (${why}): ${server.epitaph()}`,
  );
}

/**
 * Tries a TCP connection first: after a refused connection a gRPC client waits a second before the next one.
 */
function dial(address: string): Promise<void> {
  const { hostname, port } = new URL(`tcp://${address}`);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port) });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.destroy();
      resolve();
    });
  });
}
