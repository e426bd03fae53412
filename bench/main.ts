import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { ensureError } from '../contract/failures';
import { compare, type Shape } from './compare';
import { fixedCosts } from './costs';
import { fleet } from './fleet';
import { comparisonGoals, costsGoals, fleetGoals, type Goal, scaleGoals } from './goals';
import { comparisonPlots, type Plot, scalePlots } from './plots';
import { loadNow, machineFacts } from './process-facts';
import {
  type BenchResults,
  comparisonTable,
  costsTable,
  type FleetResults,
  fleetTable,
  goalsTable,
  type Recorded,
  type ScaleResults,
  scaleTable,
  stepsTable,
} from './report';
import { scale } from './scale';
import { startWorld, type World } from './world';

const USAGE = `npm run bench [-- options]          table, bench/results/bench.json, plots, docs/performance.md
npm run bench:scale [-- options]    100,000 documents of one operator
npm run bench:fleet [-- options]    200 operators, three of them broken; a small one next to a huge one

  --quick                fewer and shorter measurements; writes only what --out names
  --latencies 0,100      of the bunker, in ms; with --in-flight: each with each
  --in-flight 8,16       requests to the bunker at once
  --seconds 40           how long one measurement takes, about; quick: 15
  --machines 50000       bench:scale: of the operator, two documents each; bench:fleet (1000): of the huge one
  --operators 200        bench:fleet
  --out DIRECTORY        where results and plots go, instead of into this project`;

const PROJECT = path.join(__dirname, '..');
const PAGE = path.join(PROJECT, 'docs/performance.md');

const OPTIONS = {
  quick: { type: 'boolean', default: false },
  latencies: { type: 'string' },
  'in-flight': { type: 'string' },
  seconds: { type: 'string' },
  machines: { type: 'string' },
  operators: { type: 'string' },
  out: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const;

const { values, positionals } = argumentsOrUsage();

function argumentsOrUsage() {
  try {
    return parseArgs({ allowPositionals: true, options: OPTIONS });
  } catch (thrown) {
    refuse(ensureError(thrown).message);
  }
}

function refuse(why: string): never {
  console.error(`${why}\n\n${USAGE}`);
  process.exit(2);
}

const say = (line: string): void => console.error(line);

function numbers(text: string | undefined, fallback: number[]): number[] {
  const given = text === undefined ? fallback : text.split(',').map(Number);
  return given.every((value) => value >= 0) ? given : refuse(`${text} is no list of numbers`);
}

/** The first of the given values, for a bench that uses only one. */
function number(text: string | undefined, fallback: number): number {
  return numbers(text, [fallback])[0] ?? fallback;
}

/** Called when the measurement begins. The function that it returns is called at the end. */
function recording(): () => Recorded {
  const machine = machineFacts();
  return () => ({ measuredAt: new Date().toISOString(), machine: { ...machine, loadAfter: loadNow() } });
}

/** The default comparison: latencies of the bunker, and for each the numbers of requests in flight. */
const SHAPES: [latencyMs: number, inFlight: number][] = [
  [0, 8],
  [0, 16],
  [50, 16],
  [50, 32],
  [100, 8],
  [100, 16],
  [250, 8],
  [250, 16],
];
const QUICK_SHAPES = SHAPES.filter(([latencyMs]) => latencyMs === 0 || latencyMs === 100);

function shapes(): Shape[] {
  const standing = values.quick ? QUICK_SHAPES : SHAPES;
  const latenciesMs = numbers(values.latencies, [...new Set(standing.map(([latencyMs]) => latencyMs))]);
  const inFlight = numbers(values['in-flight'], [8, 16]);
  const chosen =
    values.latencies === undefined && values['in-flight'] === undefined
      ? standing
      : latenciesMs.flatMap((latencyMs) => inFlight.map((width): [number, number] => [latencyMs, width]));
  return chosen.map(([latencyMs, width]) => ({ latencyMs, inFlight: width }));
}

/**
 * A quick run is long enough for its goals: the fixed costs, such as the signer proof, are within the 3% of
 * the goal.
 */
const SECONDS = 40;
const QUICK_SECONDS = 15;

/** The bunker of the run without settings, and the approximate documents for each second. */
const UNSET_LATENCY_MS = 100;
const UNSET_PER_SECOND = 160;

async function bench(world: World): Promise<void> {
  const recorded = recording();
  const chosen = shapes();
  const seconds = number(values.seconds, values.quick ? QUICK_SECONDS : SECONDS);
  const comparisons = await compare(world, { shapes: chosen, seconds }, say);
  const slowestMs = Math.max(...chosen.map(({ latencyMs }) => latencyMs));
  const costs = await fixedCosts(world, {
    latencyMs: slowestMs,
    times: values.quick ? 1 : 5,
    unset: {
      latencyMs: Math.min(slowestMs, UNSET_LATENCY_MS),
      documents: 2 * Math.ceil((UNSET_PER_SECOND * seconds) / 2),
    },
  });
  const results: BenchResults = { ...recorded(), comparisons, costs };
  await keep('bench', results, comparisonPlots(comparisons), {
    goals: [...comparisonGoals(comparisons), ...costsGoals(costs, comparisons)],
    tables: [comparisonTable(comparisons), stepsTable(comparisons), costsTable(costs)],
  });
}

async function benchScale(world: World): Promise<void> {
  const recorded = recording();
  const facts = await scale(
    world,
    {
      machines: number(values.machines, 50_000),
      inFlight: number(values['in-flight'], 16),
      latencyMs: number(values.latencies, 20),
    },
    say,
  );
  const results: ScaleResults = { ...recorded(), scale: facts };
  await keep('scale', results, scalePlots(facts), { goals: scaleGoals(facts), tables: [scaleTable(facts)] });
}

async function benchFleet(world: World): Promise<void> {
  const recorded = recording();
  const facts = await fleet(
    world,
    {
      operators: number(values.operators, 200),
      machinesEach: 2,
      operatorsAtOnce: 10,
      hugeMachines: number(values.machines, 1_000),
      smallMachines: 10,
      inFlight: number(values['in-flight'], 8),
      latencyMs: number(values.latencies, 50),
    },
    say,
  );
  const results: FleetResults = { ...recorded(), fleet: facts };
  await keep('fleet', results, [], { goals: fleetGoals(facts), tables: [fleetTable(facts)] });
}

const BENCHES: Record<string, (world: World) => Promise<void>> = { scale: benchScale, fleet: benchFleet };

/**
 * Prints the tables and writes the results, the plots and docs/performance.md. A quick run is too short for
 * that.
 */
async function keep(
  name: 'bench' | 'scale' | 'fleet',
  results: Recorded,
  plots: Plot[],
  { goals, tables }: { goals: Goal[]; tables: string[] },
): Promise<void> {
  const text = [...tables, goalsTable(goals)].join('\n\n');
  console.log(text);
  if (values.quick && values.out === undefined) return;
  const resultsDirectory = values.out ?? path.join(PROJECT, 'bench/results');
  const plotsDirectory = values.out ?? path.join(PROJECT, 'docs/performance');
  for (const directory of [resultsDirectory, plotsDirectory]) await mkdir(directory, { recursive: true });
  await writeFile(path.join(resultsDirectory, `${name}.json`), `${JSON.stringify(results, null, 1)}\n`);
  for (const { file, svg } of plots) await writeFile(path.join(plotsDirectory, file), svg);
  if (values.out !== undefined) return;
  await writeIntoPage(name, [
    measuredOn(results),
    text,
    plots.map(({ file, title }) => `![${title}](performance/${file})`).join('\n'),
  ]);
}

function measuredOn({ measuredAt, machine }: Recorded): string {
  const { cores, cpu, memoryGiB, platform, node, loadBefore, loadAfter = '-' } = machine;
  const on = `${cores} cores (${cpu}), ${memoryGiB} GiB, ${platform}, Node ${node}`;
  return `Measured ${measuredAt.slice(0, 10)} on ${on}; load ${loadBefore} before, ${loadAfter} after.`;
}

/** Writes the text between the marks of a bench in docs/performance.md. */
async function writeIntoPage(name: string, parts: string[]): Promise<void> {
  const page = await readFile(PAGE, 'utf8');
  const marked = new RegExp(`(<!-- ${name} -->)[^]*?(<!-- /${name} -->)`);
  const written = page.replace(
    marked,
    (_, begin: string, end: string) => `${[begin, ...parts, end].join('\n\n')}`,
  );
  const { format, resolveConfig } = await import('prettier');
  await writeFile(PAGE, await format(written, { ...(await resolveConfig(PAGE)), filepath: PAGE }));
}

async function main(): Promise<void> {
  if (values.help) return console.log(USAGE);
  const [name] = positionals;
  // Before the servers are started: an exit here leaves nothing running.
  for (const key of ['latencies', 'in-flight', 'seconds', 'machines', 'operators'] as const)
    numbers(values[key], []);
  const measure = name === undefined ? bench : (BENCHES[name] ?? refuse(`there is no bench ${name}`));
  const world = await startWorld();
  try {
    await measure(world);
  } finally {
    await world.stop();
  }
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
