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
  /** The Temporal CLI, as `findTemporalServer` finds it. */
  executable: string;
  /** Give ports (and `dbFilename`) to start a stopped server again in the same place; free ones otherwise. */
  port?: number;
  uiPort?: number;
  /** SQLite file that keeps the workflows; without it they end with the server. */
  dbFilename?: string;
  /** True: what is in that file survives a power cut too, not only a server that is killed. */
  durable?: boolean;
  /** True: no web UI. */
  headless?: boolean;
  /** Search attributes to register: name to type (`Keyword`, `Text`, `Int`, `Datetime`, ...). */
  searchAttributes?: Record<string, string>;
  /** Settings of the server by name, such as `matching.enableFairness`, as JSON values. */
  dynamicConfig?: Record<string, string>;
  /** A namespace to make besides `default`. */
  namespace?: string;
}

/** What a run is found by, for `searchAttributes`. */
export function searchAttributeTypes(): Record<string, string> {
  return Object.fromEntries(Object.values(SEARCH_ATTRIBUTES).map((name) => [name, 'Keyword']));
}

export interface TemporalServer {
  /** host:port of the frontend. */
  address: string;
  /** Address of the web UI; empty when headless. */
  uiUrl: string;
  pid: number;
  /** SIGTERM, then SIGKILL after 5 s; resolves when it has ended. May be called again. */
  stop(): Promise<void>;
  /** Signals the server, for fault tests (SIGKILL, SIGSTOP, SIGCONT). */
  kill(signal: NodeJS.Signals): void;
  /** Resolves when it has ended, for whatever reason. */
  exited: Promise<void>;
}

/**
 * Starts the Temporal dev server on 127.0.0.1 and waits until its frontend serves the namespace. It prints
 * nothing, and is gone with this process, however this process ends.
 *
 * @throws Error with the last lines of its standard error when it ends while starting or is not ready within
 * 20 s.
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
    // Both survive a server that is killed. With `normal` a power cut can cost the last moments, which is no
    // matter for a server that is thrown away; `full` waits for the disk in each transaction, and for less of
    // it with a write-ahead log (measured: a run of 200 documents takes 12 to 19 s with `normal`, 13 to 15 s
    // with `full` and the log, 19 to 21 s without the log).
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
 * The CLI reads TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_TLS...: meant for a production cluster, not
 * for this one.
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
        // The frontend answers a little before it knows its namespaces.
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

/** A bare TCP connection first: a gRPC client that is refused once waits a second before it tries again. */
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
