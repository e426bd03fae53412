import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { type Event, finalizeEvent, generateSecretKey } from 'nostr-tools/pure';
import WebSocket from 'ws';
import { startChild } from '../../bench/child';
import { goal } from '../../bench/goals';
import { cpuMsOfParts, processFacts } from '../../bench/process-facts';
import { startProcessGroup } from '../../embedded/process-group';

const ROOT = path.join(__dirname, '../..');

/**
 * Runs the bench in its smallest shape. What it measures here says nothing; that it measures is what is
 * tested.
 */
async function bench(...args: string[]): Promise<{ stdout: string; files: Record<string, string> }> {
  const directory = await mkdtemp(path.join(tmpdir(), 'republish-bench-test-'));
  try {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [
        path.join(ROOT, 'scripts/run-typescript.cjs'),
        path.join(ROOT, 'bench/main.ts'),
        ...args,
        '--out',
        directory,
      ],
      { cwd: ROOT, maxBuffer: 16 * 1024 * 1024 },
    );
    const names = await readdir(directory);
    const contents = names.map(
      async (name) => [name, await readFile(path.join(directory, name), 'utf8')] as const,
    );
    return { stdout, files: Object.fromEntries(await Promise.all(contents)) };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** The tables of a page, each as its rows of cells. */
function tablesOf(markdown: string): string[][][] {
  const tables = markdown.split('\n\n').filter((part) => part.startsWith('|'));
  return tables.map((text) =>
    text
      .trim()
      .split('\n')
      .filter((line) => !line.startsWith('| ---'))
      .map((line) =>
        line
          .split('|')
          .slice(1, -1)
          .map((cell) => cell.trim()),
      ),
  );
}

test('the bench compares the loop, this program and the ideal, and records it with the facts of the machine', async () => {
  const { stdout, files } = await bench(
    '--quick',
    '--latencies',
    '0,5',
    '--in-flight',
    '8',
    '--seconds',
    '0.1',
  );
  const [compared = [], steps = [], costs = [], goals = []] = tablesOf(stdout);
  expect(compared[0]).toEqual([
    'latency',
    'in flight',
    'a: one by one /s',
    'b: loop /s',
    'c: ours /s',
    'd: ideal /s',
    'c of d',
    'c of b',
    'c of a',
    'CPU b, ms',
    'CPU c, ms',
    'CPU c of b',
    'CPU c, all processes, ms',
    'events',
    'bytes',
  ]);
  expect(compared.slice(1).map((row) => row.slice(0, 2))).toEqual([
    ['0 ms', '8'],
    ['5 ms', '8'],
  ]);
  expect(compared.map((row) => row[5])).toEqual(['d: ideal /s', '-', '800.0']);
  const names = ['plan', 'proof', 'pages', 'sweep', 'audit', 'between them'];
  expect(steps[0]?.slice(4, 10)).toEqual(names);
  for (const row of steps.slice(1)) expect(row.slice(4, 10).map(Number)).not.toContain(NaN);
  expect(costs.map(([what]) => what)).toEqual([
    'what',
    'nothing set, bunker at 5 ms: documents/s',
    'one machine, bunker at 5 ms: the run',
    'what it asked of the bunker',
    'what it asked of the relay',
    'how long the bunker was at work for the run',
    'its calls alone: key, probe, then both documents, by the loop (b)',
    'how long the bunker was at work for the loop',
    'the run above its raw calls',
    'worker: from its start to its first task',
    '`republish --help`',
  ]);
  // The proof's own: a key and a probe. Beside them two documents are encrypted and signed, each once.
  expect(costs[3]?.[1]).toMatch(/get_public_key 1, .*nip44_encrypt 3, .*sign_event 2/);
  expect(costs[4]?.[1]).toMatch(/^documents 2, /);
  expect(goals.slice(1).map(([what]) => what)).toEqual([
    'c of b, 0 ms, 8 and 16 in flight',
    "CPU of c's process of b's, every row",
    ...(process.platform === 'linux' ? ['CPU of all processes for a document, every row'] : []),
    'one machine: above its raw calls',
    'worker: from its start to its first task',
    '`republish --help`',
  ]);
  for (const [, , , verdict] of goals.slice(1)) expect(verdict).toMatch(/^(met|\*\*not met\*\*)$/);

  const measured = { documents: expect.any(Number), ms: expect.any(Number), perSecond: expect.any(Number) };
  const history = { executions: 1, events: expect.any(Number), bytes: expect.any(Number) };
  expect(JSON.parse(files['bench.json'] ?? '')).toMatchObject({
    measuredAt: expect.stringMatching(/^\d{4}-/),
    machine: { cores: expect.any(Number), node: process.version, memoryGiB: expect.any(Number) },
    comparisons: [
      { latencyMs: 0, inFlight: 8 },
      {
        latencyMs: 5,
        inFlight: 8,
        sequential: measured,
        loop: measured,
        ours: { ...measured, history },
        idealPerSecond: 800,
      },
    ],
    costs: { helpMs: expect.any(Number), workerStartMs: expect.any(Number) },
  });
  for (const plot of ['throughput-8.svg', 'cost.svg']) expect(files[plot]).toMatch(/^<svg [^]*<\/svg>\n$/);
  expect(`${stdout}${Object.values(files).join('')}`).not.toMatch(/NaN|undefined|Infinity/);
}, 300_000);

test('the bench of a large run prints memory, rate by quarter, events and bytes', async () => {
  const { stdout, files } = await bench('scale', '--machines', '12', '--latencies', '5');
  const [figures = [], goals = []] = tablesOf(stdout);
  expect(figures.map(([what]) => what)).toEqual([
    'what',
    'documents',
    'documents/s by quarter',
    'memory of the worker: over the second tenth of the documents, over the last, at its highest',
    'CPU for a document, ms',
    'events of history for a document',
    'bytes of history for a document',
    'planning, and its share of the run',
    'sweep',
    'executions',
    'events of the largest execution (Temporal ends one at 51,200)',
    'bytes of the largest execution (Temporal ends one at 50 MiB)',
  ]);
  expect(goals.map(([what]) => what)).toContain('planning, share of the run');
  expect(JSON.parse(files['scale.json'] ?? '')).toMatchObject({
    scale: { machines: 12, documents: 24, history: { executions: 1 }, samples: expect.any(Array) },
  });
  for (const plot of ['memory.svg', 'rate.svg']) expect(files[plot]).toMatch(/^<svg [^]*<\/svg>\n$/);
}, 300_000);

test('the bench of a fleet names who could not be done, and measures a small operator alone and beside a huge one', async () => {
  const { stdout, files } = await bench(
    'fleet',
    '--operators',
    '6',
    '--machines',
    '200',
    '--latencies',
    '200',
  );
  const [figures = [], goals = []] = tablesOf(stdout);
  expect(Object.fromEntries(figures.map(([what = '', figure]) => [what, figure]))).toMatchObject({
    operators: '6, 10 at a time',
    complete: '3',
    named: '3: OperatorNotFound, RepublishIncomplete, SignerNotConfigured',
  });
  expect(goals.find(([what]) => what?.startsWith('complete'))?.at(-1)).toBe('met');
  const measured = { aloneMs: expect.any(Number), besideMs: expect.any(Number), hugeMachines: 200 };
  expect(JSON.parse(files['fleet.json'] ?? '')).toMatchObject({ fleet: { documents: 15, beside: measured } });
}, 300_000);

test('the relay of the bench answers each filter of a REQ, an event once, and says how often it was asked', async () => {
  const relay = await startChild<{ url: string }>('relay');
  try {
    const secretKey = generateSecretKey();
    const events = Array.from({ length: 12 }, (_, index) =>
      finalizeEvent(
        { kind: 30078, created_at: 1_700_000_000, tags: [['d', `d${index}`]], content: '' },
        secretKey,
      ),
    );
    const filterOf = (event: Event) => ({
      kinds: [30078],
      authors: [event.pubkey],
      '#d': [event.tags[0]?.[1] ?? ''],
    });
    const ten = events.slice(0, 10).map(filterOf);
    const socket = new WebSocket(relay.facts.url);
    const frames: unknown[][] = [];
    const ended = new Promise<void>((resolve, reject) => {
      socket.on('error', reject);
      socket.on('open', () => {
        for (const event of events) socket.send(JSON.stringify(['EVENT', event]));
        socket.send(JSON.stringify(['REQ', 'read', ...ten, ten[0]]));
      });
      socket.on('message', (data) => {
        const frame = JSON.parse(String(data)) as unknown[];
        frames.push(frame);
        if (frame[0] === 'EOSE') resolve();
      });
    });
    await ended;
    const ids = frames.flatMap(([verb, , event]) => (verb === 'EVENT' ? [(event as Event).id] : []));
    expect(ids).toEqual(events.slice(0, 10).map(({ id }) => id));
    expect(await relay.counted()).toEqual({ documents: 12, addresses: 12, reads: 1, filters: 11 });
    socket.terminate();
  } finally {
    await relay.stop('SIGKILL', 1_000);
  }
}, 60_000);

const onLinux = process.platform === 'linux' ? test : test.skip;

onLinux(
  'what a process has cost counts what it has started, also what has ended',
  async () => {
    // Its own processor time: how long that takes is the matter of those beside it.
    const burn = `while (process.cpuUsage().user < 400_000); `;
    // A child that ends, then one that stays; both have worked.
    const command = `"${process.execPath}" -e '${burn}'; "${process.execPath}" -e '${burn} setInterval(() => {}, 1000); console.error("burnt")'; :`;
    let burnt: () => void = () => undefined;
    const done = new Promise<void>((resolve) => (burnt = resolve));
    const shell = await startProcessGroup({
      name: 'burning',
      command: '/bin/sh',
      args: ['-c', command],
      env: {},
      cwd: ROOT,
      onLine: () => burnt(),
      orphan: { signal: 'SIGKILL' },
    });
    try {
      await done;
      const cost = await cpuMsOfParts({ burning: [shell.pid], nobody: [] });
      // Two children of 400 ms each, and the kernel counts in steps of 10 ms.
      expect(cost?.burning).toBeGreaterThanOrEqual(780);
      expect(cost?.nobody).toBe(0);
      // The shell itself has worked for none of them.
      expect((await processFacts(shell.pid)).cpuMs).toBeLessThan(400);
    } finally {
      await shell.stop('SIGKILL', 1_000);
    }
  },
  60_000,
);

test('a goal is met when every figure is within its bound, and says nothing where nothing was measured', () => {
  const write = (figure: number): string => figure.toFixed(2);
  expect(goal('rate', [3, 2.999], { atLeast: 3, write })).toEqual([
    { what: 'rate', here: '3.00, 3.00', goal: 'at least 3.00', met: false },
  ]);
  expect(goal('rate', [3, undefined], { atLeast: 3, write })).toMatchObject([{ here: '3.00', met: true }]);
  expect(goal('cost', [6, 5], { atMost: 6, write })).toMatchObject([{ goal: 'at most 6.00', met: true }]);
  expect(goal('cost', [NaN], { atMost: 6, write })).toMatchObject([{ met: false }]);
  expect(goal('cost', [undefined], { atMost: 6, write })).toEqual([]);
});
