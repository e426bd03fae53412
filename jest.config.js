const path = require('node:path');

/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: '<rootDir>/test/support/one-realm.cjs',
  runtime: '<rootDir>/test/support/shared-packages.cjs',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  transform: { '^.+\\.ts$': ['@swc/jest'] },
  // Where Node has no node:sqlite, global-setup.ts installs better-sqlite3 there; child processes find it by NODE_PATH.
  modulePaths: [
    path.join(
      __dirname,
      'node_modules/.cache/republish',
      process.versions.modules,
      'better-sqlite3-12/node_modules',
    ),
  ],
  globalSetup: '<rootDir>/test/support/global-setup.ts',
  globalTeardown: '<rootDir>/test/support/global-teardown.ts',
  testTimeout: 60_000,
  testSequencer: '<rootDir>/test/support/longest-first.cjs',
  // For any number of cores: a test file spends more than half of its time waiting, for time limits and for
  // servers. Temporal and Postgres, which all files share, use the rest.
  maxWorkers: 7,
  // `npm test` prints it for the tests that need no server, `npm run coverage` for all: there Istanbul's
  // counters cost minutes of CPU. Only code that runs in the process of the tests is counted, not commands
  // and workers in processes of their own.
  collectCoverageFrom: ['{contract,rules,documents,nostr}/**/*.ts'],
  coverageReporters: ['text-summary'],
};
