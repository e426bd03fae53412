const { promiseHooks } = require('node:v8');
const vm = require('node:vm');
const { ModernFakeTimers } = require('@jest/fake-timers');
const { ModuleMocker } = require('jest-mock');

/** Stands for the realm of this process where jest asks for a context. */
const HERE = {};
const { compileFunction } = vm;
vm.compileFunction = (code, parameters, options) =>
  compileFunction(
    code,
    parameters,
    options?.parsingContext === HERE ? { ...options, parsingContext: undefined } : options,
  );

// Where workflows run in this thread (workflow-threads.ts), the SDK has a hook for each promise of the
// process. It compiles a function to find the workflow of the promise, which is expensive. Promises of
// workflows belong to another realm, so it need not see those of ours. Node's own hook must see them all: it
// has `before` too, and carries AsyncLocalStorage, by which the SDK finds the deadline of a call.
const { createHook } = promiseHooks;
const unlessOurs = (hook) =>
  hook && ((promise, parent) => promise instanceof Promise || hook(promise, parent));
promiseHooks.createHook = (hooks) =>
  createHook(
    'before' in hooks
      ? hooks
      : { ...hooks, init: unlessOurs(hooks.init), settled: unlessOurs(hooks.settled) },
  );

/** What jest replaces of the process, which otherwise gets a copy of it. */
const REPLACED = ['exit', 'getBuiltinModule'];

/**
 * Runs tests in the realm of the process, as Node runs programs. jest's own environment makes a realm for
 * each test file: every global name goes through a proxy, and every package is loaded again. Together that
 * was half of the time of the tests. Here an error of Node or of a package is an `Error`, as in production.
 * Globals that a file leaves are removed at its end.
 */
module.exports = class OneRealm {
  constructor({ projectConfig }) {
    this.global = globalThis;
    this.moduleMocker = new ModuleMocker(globalThis);
    this.fakeTimers = null;
    this.fakeTimersModern = new ModernFakeTimers({ config: projectConfig, global: globalThis });
    this.found = {
      globals: Object.getOwnPropertyDescriptors(globalThis),
      process: REPLACED.map((name) => [name, process[name]]),
      env: { ...process.env },
    };
  }

  async setup() {}

  async teardown() {
    this.fakeTimersModern.dispose();
    const { globals, process: replaced, env } = this.found;
    // `expect` keeps one of its own, which it defines for good and finds again.
    for (const key of Reflect.ownKeys(globalThis))
      if (!Object.hasOwn(globals, key)) Reflect.deleteProperty(globalThis, key);
    Object.defineProperties(globalThis, changed(globals));
    Object.assign(process, Object.fromEntries(replaced));
    for (const name of Object.keys(process.env)) if (!Object.hasOwn(env, name)) delete process.env[name];
    Object.assign(process.env, env);
  }

  exportConditions() {
    return ['node', 'node-addons'];
  }

  getVmContext() {
    return HERE;
  }
};

/** Node defines some of its globals when they are first asked for: those are no change. */
function changed(globals) {
  return Object.fromEntries(
    Object.entries(globals).filter(
      ([key, { value, configurable }]) => configurable && value !== undefined && globalThis[key] !== value,
    ),
  );
}
