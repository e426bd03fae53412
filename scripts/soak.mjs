// npm run test:soak -- [--minutes N | --seeds N] [--seed S]: random scenarios (row 35 of docs/reliability.md), one line for
// each; ends at the first violation with its seed.
import { parseArgs } from 'node:util';
import { runJest } from './run-jest.mjs';

const { values } = parseArgs({
  options: { minutes: { type: 'string' }, seeds: { type: 'string' }, seed: { type: 'string' } },
});
for (const [name, value] of Object.entries(values)) {
  if (!/^\d+(\.\d+)?$/.test(value)) throw new Error(`--${name} must be a number, not "${value}"`);
}
const { minutes, seeds = '200', seed = '1' } = values;
runJest(['test/faults/35-random-scenarios'], {
  ...process.env,
  SOAK_SEED: seed,
  SOAK_SEEDS: seeds,
  ...(minutes === undefined ? {} : { SOAK_MINUTES: minutes }),
});
