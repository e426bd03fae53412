// npm run test:soak -- [--rows 35|38-57] [--minutes N | --seeds N] [--seed S]: random scenarios of these rows
// of docs/reliability.md (default: both, one after the other). It prints one line for each, and ends at the
// first violation with its seed.
import { parseArgs } from 'node:util';
import { runJest } from './run-jest.mjs';

const ROWS = ['35', '38-57'];

const { values } = parseArgs({
  options: {
    rows: { type: 'string' },
    minutes: { type: 'string' },
    seeds: { type: 'string' },
    seed: { type: 'string' },
  },
});
const { rows, ...numbers } = values;
for (const [name, value] of Object.entries(numbers)) {
  if (!/^\d+(\.\d+)?$/.test(value)) throw new Error(`--${name} must be a number, not "${value}"`);
}
if (rows !== undefined && !ROWS.includes(rows))
  throw new Error(`--rows must be ${ROWS.join(' or ')}, not "${rows}"`);
const { minutes, seeds = '200', seed = '1' } = numbers;
const files = (rows === undefined ? ROWS : [rows]).map((each) => `test/faults/${each}-random-scenarios`);
runJest(['--runInBand', ...files], {
  ...process.env,
  SOAK_SEED: seed,
  SOAK_SEEDS: seeds,
  ...(minutes === undefined ? {} : { SOAK_MINUTES: minutes }),
});
