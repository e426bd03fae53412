import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const ROOT = path.join(__dirname, '../..');

/** Runs the bench in its smallest shape. What it measures here says nothing; that it measures is what is tested. */
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

const rows = (markdown: string): string[][] =>
  markdown
    .split('\n')
    .filter((line) => line.startsWith('|') && !line.startsWith('| ---'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );

test('the bench compares the loop, this program and the ideal, and records it with the facts of the machine', async () => {
  const { stdout, files } = await bench(
    '--quick',
    '--latencies',
    '5',
    '--in-flight',
    '8',
    '--seconds',
    '0.1',
  );
  const [head, figures, ...costs] = rows(stdout);
  expect(head?.slice(0, 9)).toEqual([
    'latency',
    'in flight',
    'a: one by one /s',
    'b: loop /s',
    'c: ours /s',
    'd: ideal /s',
    'c of d',
    'c of b',
    'c of a',
  ]);
  expect(figures?.slice(0, 2)).toEqual(['5 ms', '8']);
  expect(figures).toHaveLength(14);
  expect(costs.map(([what]) => what)).toEqual([
    'what',
    'one machine, bunker at 5 ms: the run',
    'its calls alone: the key, then both documents, by the loop (b)',
    'worker: from its start to its first task',
    '`republish --help`',
  ]);

  const measured = { documents: expect.any(Number), ms: expect.any(Number), perSecond: expect.any(Number) };
  expect(JSON.parse(files['bench.json'] ?? '')).toMatchObject({
    measuredAt: expect.stringMatching(/^\d{4}-/),
    machine: { cores: expect.any(Number), node: process.version, memoryGiB: expect.any(Number) },
    comparisons: [
      {
        latencyMs: 5,
        inFlight: 8,
        sequential: measured,
        loop: measured,
        ours: { ...measured, eventsPerDocument: expect.any(Number), bytesPerDocument: expect.any(Number) },
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
  expect(rows(stdout).map(([what]) => what)).toEqual([
    'what',
    'documents',
    'documents/s by quarter',
    'last quarter of the first',
    'memory of the worker: over the second tenth of the documents, over the last, at its highest',
    'growth of memory, from the second tenth to the last',
    'CPU of the worker per document',
    'events per document',
    'history bytes per document',
    'executions',
    'events of the largest execution',
    'bytes of the largest execution',
  ]);
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
    '250',
    '--latencies',
    '20',
  );
  const figures = Object.fromEntries(rows(stdout).map(([what = '', figure]) => [what, figure]));
  expect(figures).toMatchObject({
    operators: '6, 10 at once',
    complete: '3',
    named: '3: OperatorNotFound, RepublishIncomplete, SignerNotConfigured',
  });
  const measured = { aloneMs: expect.any(Number), besideMs: expect.any(Number), hugeMachines: 250 };
  expect(JSON.parse(files['fleet.json'] ?? '')).toMatchObject({ fleet: { documents: 15, beside: measured } });
}, 300_000);
