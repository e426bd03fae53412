/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  transform: { '^.+\\.(t|j)sx?$': ['@swc/jest'] },
  // nostr-tools requires these, which ship only ES modules: Node can require them, jest cannot as they are.
  transformIgnorePatterns: ['/node_modules/(?!(.*/)?(@noble|@scure|nostr-wasm)/)'],
  globalSetup: '<rootDir>/test/support/global-setup.ts',
  globalTeardown: '<rootDir>/test/support/global-teardown.ts',
  testTimeout: 60_000,
  // Temporal and Postgres run beside the tests: more workers than cores would only make timeouts.
  maxWorkers: 2,
};
