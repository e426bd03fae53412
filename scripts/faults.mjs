// npm run test:faults: every row of docs/reliability.md, with more scenarios and more documents than in `npm test`.
import { runJest } from './run-jest.mjs';

runJest(['test/faults', 'test/replay', ...process.argv.slice(2)], {
  SOAK_SEEDS: '24',
  REPUBLISH_TEST_MACHINES: '500',
  ...process.env,
});
