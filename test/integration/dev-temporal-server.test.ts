import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { defineSearchAttributeKey, TypedSearchAttributes } from '@temporalio/common';
import { freePort, freePorts } from '../../embedded/free-port';
import { findTemporalServer } from '../../embedded/temporal-server/find';
import { startTemporalServer, type TemporalServer } from '../../embedded/temporal-server/start';
import { startChildProgram, untilProcessGone } from '../support/child-program';

const phase = defineSearchAttributeKey('Phase', 'KEYWORD');
let executable: string;
let dir: string;
const started: TemporalServer[] = [];

beforeAll(async () => {
  dir = mkdtempSync(path.join(os.tmpdir(), 'dev-temporal-'));
  executable = (await findTemporalServer()).path;
}, 150_000);
afterEach(() => Promise.all(started.splice(0).map((server) => server.stop())));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function start(
  options: Partial<Parameters<typeof startTemporalServer>[0]> = {},
): Promise<TemporalServer> {
  const server = await startTemporalServer({ executable, headless: true, ...options });
  started.push(server);
  return server;
}

async function withClient<T>(
  server: TemporalServer,
  namespace: string,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const connection = await Connection.connect({ address: server.address });
  try {
    return await work(new Client({ connection, namespace }));
  } finally {
    await connection.close();
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

test('takes a workflow with a search attribute in its namespace at once, keeps it over a kill on the same port', async () => {
  const options = {
    dbFilename: path.join(dir, 'kept.db'),
    namespace: 'kept',
    searchAttributes: { Phase: 'Keyword' },
  };
  const first = await start(options);
  await withClient(first, 'kept', (client) =>
    client.workflow.start('anything', {
      taskQueue: 'none',
      workflowId: 'survivor',
      typedSearchAttributes: new TypedSearchAttributes([{ key: phase, value: 'seal' }]),
    }),
  );
  const port = Number(first.address.split(':')[1]);
  first.kill('SIGKILL');
  await first.exited;
  expect(await listens(port)).toBe(false);

  const second = await start({ ...options, port });
  expect(second.address).toBe(first.address);
  const description = await withClient(second, 'kept', (client) =>
    client.workflow.getHandle('survivor').describe(),
  );
  expect(description.status.name).toBe('RUNNING');
  expect(description.typedSearchAttributes.get(phase)).toBe('seal');
});

test('stop ends it, also when it is frozen, and may be called again; the UI is served until then', async () => {
  const server = await start({ headless: false });
  const page = await fetch(server.uiUrl);
  expect(page.status).toBe(200);
  server.kill('SIGSTOP');
  await Promise.all([server.stop(), server.stop()]);
  await server.stop();
  expect(await listens(Number(new URL(server.uiUrl).port))).toBe(false);
  expect(() => process.kill(server.pid, 0)).toThrow(/ESRCH/);
});

test('an early end is an error with what it printed; so is a port that is taken', async () => {
  await expect(start({ searchAttributes: { Phase: 'Bogus' } })).rejects.toThrow(
    /ended while starting: exit code 1[^]*"Bogus"/,
  );
  await expect(start({ executable: path.join(dir, 'missing') })).rejects.toThrow(
    /could not be run: .*ENOENT/,
  );
  const port = await freePort();
  const taken = createServer((socket) => socket.destroy()).listen(port, '127.0.0.1');
  await expect(start({ port })).rejects.toThrow(/ended while starting/);
  await new Promise((closed) => taken.close(closed));
});

test('is in a process group of its own, and dies with a parent that is killed', async () => {
  const parent = await startChildProgram(`
    const { startTemporalServer } = require('./embedded/temporal-server/start.ts');
    startTemporalServer({ executable: ${JSON.stringify(executable)}, headless: true }).then((server) => {
      console.log(server.pid);
    });`);
  const pid = Number(parent.firstLine);
  expect(() => process.kill(-pid, 0)).not.toThrow();
  parent.kill('SIGKILL');
  await untilProcessGone(pid, 40_000);
});

test('free ports are all different, also those of calls at once', async () => {
  const groups = await Promise.all(Array.from({ length: 20 }, () => freePorts(5)));
  expect(new Set(groups.flat()).size).toBe(100);
});
