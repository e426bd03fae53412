import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { bundleWorkflowCode } from '@temporalio/worker';
import { withEmptySourceMap } from '../../scripts/empty-source-map.cjs';

/** What the global setup keeps for the global teardown. */
export interface TestServers {
  stop(): Promise<unknown>;
}

export interface ServerDescription {
  temporalAddress: string;
  /** The Temporal command line that was found. */
  temporalCli: string;
  postgresUrl: string;
  /** The workflows as they are in the sources now. */
  bundlePath: string;
}

const VARIABLE = 'REPUBLISH_TEST_SERVERS';

/** Hands the addresses to the processes in which the tests run. */
export function describeServers(description: ServerDescription): void {
  process.env[VARIABLE] = JSON.stringify(description);
}

export function testServers(): ServerDescription {
  const text = process.env[VARIABLE];
  if (text === undefined)
    throw new Error('the test servers are not running: run the tests through jest.config.js');
  return JSON.parse(text) as ServerDescription;
}

/**
 * Bundles workflows: once for all test files those of the sources, or those of another release; returns the
 * file.
 */
export async function bundleWorkflows(workflowsPath = '../../workflows/index.ts'): Promise<string> {
  const directory = path.resolve(__dirname, '../../node_modules/.cache/republish-tests');
  const silent = (): void => undefined;
  const { code } = await bundleWorkflowCode({
    workflowsPath: path.resolve(__dirname, workflowsPath),
    logger: {
      log: silent,
      trace: silent,
      debug: silent,
      info: silent,
      warn: console.warn,
      error: console.error,
    },
  });
  mkdirSync(directory, { recursive: true });
  const file = path.join(directory, `workflow-bundle-${path.parse(workflowsPath).name}-${process.pid}.js`);
  writeFileSync(file, withEmptySourceMap(hurried(code)));
  return file;
}

/**
 * The two waits that would cost the tests the most: until Temporal notices a dead worker, and until a failed
 * step is retried. All else in the workflows is as in production.
 */
const HURRIED: [what: RegExp, instead: string][] = [
  [/(?<=heartbeatTimeout: |HEARTBEAT = )'15 seconds'/g, "'10 seconds'"],
  [/(?<=initialInterval: )'1 second'/g, "'200 milliseconds'"],
];

function hurried(bundle: string): string {
  return HURRIED.reduce((code, [what, instead]) => {
    if (code.search(what) < 0) throw new Error(`the workflow bundle does not say ${what.source} any more`);
    return code.replaceAll(what, instead);
  }, bundle);
}
