const { createRequire, isBuiltin } = require('node:module');
const { default: Runtime } = require('jest-runtime');

/** A package of `node_modules`, and no file of ours. */
const PACKAGE = /^(?:@[\w.-]+\/)?\w/;
/**
 * Loaded anew for each test file: a test loads it where there is no WebAssembly; found by jest's own
 * `modulePaths` alone.
 */
const OWN = new Set(['tiny-secp256k1', 'better-sqlite3', '@jest/globals']);

/**
 * Our own modules are loaded anew for each test file, packages once for each process of jest: a thousand
 * modules that take two seconds of CPU otherwise, for each of a hundred files. Possible where all is one
 * realm (one-realm.cjs).
 */
module.exports = class SharedPackages extends Runtime {
  requireModuleOrMock(from, name) {
    return PACKAGE.test(name) && !isBuiltin(name) && !OWN.has(name)
      ? createRequire(from)(name)
      : super.requireModuleOrMock(from, name);
  }
};
