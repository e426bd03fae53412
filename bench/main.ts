import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { ensureError } from '../contract/failures';
import { compare } from './compare';
import { fixedCosts } from './costs';
import { fleet } from './fleet';
import { loadNow, machineFacts } from './process-facts';
import {
  type BenchResults,
  comparisonPlots,
  comparisonTable,
  costsTable,
  type FleetResults,
  fleetTable,
  type Recorded,
  scalePlots,
  type ScaleResults,
  scaleTable,
} from './report';
import { scale } from './scale';
import { startWorld, type World } from './world';

const USAGE = `npm run bench [-- options]          a table, bench/results/bench.json, plots, docs/performance.md
npm run bench:scale [-- options]    20,000 documents of one operator
npm run bench:fleet [-- options]    200 operators, three of them broken; a small one beside a huge one

  --quick                fewer and shorter measurements; writes only what --out names
  --latencies 0,100      of the bunker, in ms
  --in-flight 8,16       requests to the bunker at once
  --seconds 40           how long one measurement takes, about
  --machines 10000       bench:scale: of the operator; bench:fleet (1000): of the huge one
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

/** Where a bench takes one, the first that was named. */
function number(text: string | undefined, fallback: number): number {
  return numbers(text, [fallback])[0] ?? fallback;
}

/** Called when the measuring begins; what it returns is called when that has ended. */
function recording(): () => Recorded {
  const machine = machineFacts();
  return () => ({ measuredAt: new Date().toISOString(), machine: { ...machine, loadAfter: loadNow() } });
}

async function bench(world: World): Promise<void> {
  const recorded = recording();
  const latenciesMs = numbers(values.latencies, values.quick ? [0, 100] : [0, 50, 100, 250]);
  const seconds = number(values.seconds, values.quick ? 4 : 40);
  const inFlight = numbers(values['in-flight'], [8, 16]);
  const comparisons = await compare(world, { latenciesMs, inFlight, seconds }, say);
  const costs = await fixedCosts(world, Math.max(...latenciesMs), values.quick ? 1 : 5);
  const results: BenchResults = { ...recorded(), comparisons, costs };
  const tables = `${comparisonTable(comparisons)}\n\n${costsTable(costs)}`;
  await keep('bench', results, comparisonPlots(comparisons), tables);
}

async function benchScale(world: World): Promise<void> {
  const recorded = recording();
  const facts = await scale(
    world,
    {
      machines: number(values.machines, 10_000),
      inFlight: number(values['in-flight'], 16),
      latencyMs: number(values.latencies, 20),
    },
    say,
  );
  const results: ScaleResults = { ...recorded(), scale: facts };
  await keep('scale', results, scalePlots(facts), scaleTable(facts));
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
  await keep('fleet', results, {}, fleetTable(facts));
}

const BENCHES: Record<string, (world: World) => Promise<void>> = { scale: benchScale, fleet: benchFleet };

/** Prints the tables and writes what belongs to them. A quick run is too short to be quoted: it replaces nothing. */
async function keep(
  name: 'bench' | 'scale' | 'fleet',
  results: Recorded,
  plots: Record<string, string>,
  tables: string,
): Promise<void> {
  console.log(tables);
  if (values.quick && values.out === undefined) return;
  const resultsDirectory = values.out ?? path.join(PROJECT, 'bench/results');
  const plotsDirectory = values.out ?? path.join(PROJECT, 'docs/performance');
  for (const directory of [resultsDirectory, plotsDirectory]) await mkdir(directory, { recursive: true });
  await writeFile(path.join(resultsDirectory, `${name}.json`), `${JSON.stringify(results, null, 1)}\n`);
  for (const [file, svg] of Object.entries(plots)) await writeFile(path.join(plotsDirectory, file), svg);
  if (values.out !== undefined) return;
  const { measuredAt, machine } = results;
  const facts = `Measured ${measuredAt.slice(0, 10)} on ${machine.cores} cores (${machine.cpu}), ${machine.memoryGiB} GiB, ${machine.platform}, Node ${machine.node}; load ${machine.loadBefore} before, ${machine.loadAfter ?? '-'} after.`;
  const page = await readFile(PAGE, 'utf8');
  const marked = new RegExp(`(<!-- ${name} -->)[^]*?(<!-- /${name} -->)`);
  const written = page.replace(
    marked,
    (_, begin: string, end: string) => `${begin}\n\n${facts}\n\n${tables}\n\n${end}`,
  );
  const { format, resolveConfig } = await import('prettier');
  await writeFile(PAGE, await format(written, { ...(await resolveConfig(PAGE)), filepath: PAGE }));
}

async function main(): Promise<void> {
  if (values.help) return console.log(USAGE);
  const [name] = positionals;
  // Before anything is started that an exit would leave running.
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
