// npm run test:faults: every row of docs/reliability.md, with more scenarios, documents and malformed input
// than `npm test` has.
import { runJest } from './run-jest.mjs';

runJest(['test/faults', 'test/replay', ...process.argv.slice(2)], {
  SOAK_SEEDS: '24',
  REPUBLISH_TEST_MACHINES: '500',
  REPUBLISH_TEST_GARBAGE: '10000',
  REPUBLISH_TEST_OUTAGE_MS: '180000',
  REPUBLISH_TEST_EACH_ALONE: 'yes',
  ...process.env,
});
