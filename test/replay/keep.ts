import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import type { RepublishRun } from '../../client/run';
import type { DevBunker } from '../../dev/bunker';
import { startPatientSaga } from '../support/fleet';
import type { Saga } from '../support/saga';
import { testServers } from '../support/servers';
import { until } from '../support/until';
import { DIRECTORY, type RecordedHistory } from './histories';
import { type Kind, missingIn } from './kinds';

const { version } = JSON.parse(readFileSync(path.join(__dirname, '../../package.json'), 'utf8')) as {
  version: string;
};

/**
 * Keeps what `temporal workflow show -o json` prints, less what names the host, in the folder of the
 * package's version.
 *
 * @throws Error where the history does not show what its kind has to
 */
export async function keep(
  kind: Kind,
  { workflowId, runId }: Pick<RepublishRun, 'workflowId' | 'runId'>,
  { temporalAddress } = testServers(),
): Promise<void> {
  const { stdout } = await promisify(execFile)(
    testServers().temporalCli,
    ['workflow', 'show', '--address', temporalAddress, '-w', workflowId, '-r', runId, '-o', 'json'],
    { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 },
  );
  const scrubbed = JSON.stringify(
    JSON.parse(stdout),
    (key, value: unknown) => {
      if (key === 'stackTrace') return '';
      // Sticky task queues are named after the worker's identity.
      const namesTheHost = key === 'identity' || (typeof value === 'string' && /^\d+@/.test(value));
      return namesTheHost ? 'recorded' : value;
    },
    1,
  );
  const missing = missingIn(kind, JSON.parse(scrubbed) as RecordedHistory);
  if (missing !== undefined) throw new Error(missing);
  mkdirSync(path.join(DIRECTORY, version), { recursive: true });
  writeFileSync(path.join(DIRECTORY, version, `${kind}.json`), `${scrubbed}\n`);
}

/** A saga with a worker; nothing in it is in a hurry, but for what `env` says. */
export async function withSaga(
  env: Record<string, string>,
  record: (saga: Saga) => Promise<void>,
): Promise<void> {
  const saga = await startPatientSaga();
  Object.assign(saga.env, {
    // What is cancelled hears of it within a second.
    REPUBLISH_HEARTBEAT_TIMEOUT_MS: '4000',
    REPUBLISH_DOCUMENT_TIMEOUT_MS: '120000',
    ...env,
  });
  try {
    await saga.startWorker();
    await record(saga);
  } finally {
    await saga.stop();
  }
}

/** Documents of one type, so that histories are small. */
export const FEES = { documentTypes: ['bitspire-fees'] };

export const ended = (run: { result(): Promise<unknown> }): Promise<unknown> =>
  run.result().catch(() => undefined);

export const soon = (holds: () => boolean | Promise<boolean>): Promise<void> => until(holds, 90_000);

export const isHolding = (run: RepublishRun): Promise<void> =>
  soon(async () => (await run.progress()).phase === 'holding');

/** Whether the bunker was asked for this number of signatures. */
export const askedToSign = (bunker: DevBunker, times: number): Promise<void> =>
  soon(() => bunker.requests.filter(({ method }) => method === 'sign_event').length >= times);

/** The bunker says no to signatures of these machines' documents; of all, where none is named. */
export function refuse(bunker: DevBunker, ...atmPubkeys: string[]): void {
  bunker.setFaults(({ method, params }) =>
    method === 'sign_event' &&
    (atmPubkeys.length === 0 || atmPubkeys.some((key) => String(params[0]).includes(key)))
      ? { error: 'denied' }
      : undefined,
  );
}
