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
  // Whatever the number of cores: a test file waits for more than half of its time, for bounds that must pass and for servers that
  // come back, while Temporal and Postgres, which all share, take what is left.
  maxWorkers: 6,
  // Printed by `npm test` of the tests that need no server, and by `npm run coverage` of all: for those Istanbul's
  // counters cost minutes of CPU. Of the rooms whose code runs in the process of the tests: what commands and
  // workers of their own run is not counted.
  collectCoverageFrom: ['{contract,rules,documents,nostr}/**/*.ts'],
  coverageReporters: ['text-summary'],
};
