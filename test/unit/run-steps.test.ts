import {
  ApplicationFailure,
  defaultDataConverter,
  defaultFailureConverter,
  defaultPayloadConverter,
  type Payload,
  toPayloads,
} from '@temporalio/common';
import { encodeFailure } from '@temporalio/common/lib/internal-non-workflow';
import { msToTs } from '@temporalio/common/lib/time';
import { openSteps as openStepsBy } from '../../client/run-steps';
import type { HeartbeatDetails } from '../../contract/activities';
import { failureConverter } from '../../configuration/encoded-failures';
import { noCounts } from '../../contract/progress';
import { progressOf } from '../support/progress';

type Pending = Parameters<typeof openStepsBy>[1][number];

const openSteps = (pending: Pending[], progress: Parameters<typeof openStepsBy>[2]) =>
  openStepsBy({ options: { loadedDataConverter: defaultDataConverter } }, pending, progress);

const [SCHEDULED, STARTED] = [1, 2];
const at = (time: string): ReturnType<typeof msToTs> => msToTs(Date.parse(time));
const heartbeat = (details: HeartbeatDetails | Payload[]): Pick<Pending, 'heartbeatDetails'> => ({
  heartbeatDetails: {
    payloads: Array.isArray(details) ? details : (toPayloads(defaultPayloadConverter, details) ?? []),
  },
});
const pending = (overrides: Partial<Pending>): Pending => ({
  activityType: { name: 'republishDocuments' },
  attempt: 1,
  state: STARTED,
  lastStartedTime: at('2026-01-01T00:00:00Z'),
  ...overrides,
});

const progress = progressOf({
  documentsPerPage: 100,
  documentTypes: {
    'bitspire-cassettes': { ...noCounts(), planned: 240, skipped: 10 },
    'bitspire-fees': { ...noCounts(), planned: 250 },
  },
});

test('a page says which machines it has, and how far it is', async () => {
  const stages = { encrypted: 60, signed: 41, sent: 41, standing: 40 };
  const page = { page: 5, documentType: 'bitspire-fees' };
  const { inWork, retrying, heartbeats } = await openSteps([pending(heartbeat({ page, stages }))], progress);
  expect(inWork).toEqual([
    {
      activity: 'republishDocuments',
      page: 5,
      documentType: 'bitspire-fees',
      machines: { from: 201, to: 250, of: 250 },
      stages,
      attempt: 1,
      startedAt: '2026-01-01T00:00:00.000Z',
    },
  ]);
  expect(retrying).toEqual([]);
  expect(heartbeats).toEqual([{ page, stages }]);
  // Skipped documents are of their page too.
  const cassettes = { page: 2, documentType: 'bitspire-cassettes' };
  expect((await openSteps([pending(heartbeat({ page: cassettes }))], progress)).inWork[0]?.machines).toEqual({
    from: 101,
    to: 200,
    of: 250,
  });
});

test('without a worker a page has its number only, and what cannot be read is no reason to show nothing', async () => {
  const known = await openSteps(
    [pending(heartbeat({ page: { page: 5, documentType: 'bitspire-fees' } }))],
    null,
  );
  expect(known.inWork[0]).toMatchObject({ page: 5, documentType: 'bitspire-fees' });
  expect(known.inWork[0]?.machines).toBeUndefined();
  const garbled = { metadata: { encoding: Buffer.from('binary/secret') }, data: Buffer.from('x') };
  expect((await openSteps([pending(heartbeat([garbled]))], progress)).inWork).toEqual([
    { activity: 'republishDocuments', attempt: 1, startedAt: '2026-01-01T00:00:00.000Z' },
  ]);
});

test('a page that failed says why without the remedy, which attempt comes next, and when', async () => {
  const thrown = ApplicationFailure.create({
    type: 'SignerTimeout',
    message: 'the bunker did not answer. Check that the bunker is running',
    details: [{ reason: 'the bunker did not answer' }],
  });
  const lastFailure = defaultFailureConverter.errorToFailure(thrown, defaultPayloadConverter);
  const page = heartbeat({ page: { page: 1, documentType: 'bitspire-fees' } });
  const rests = pending({
    ...page,
    ...{ lastFailure, attempt: 4, state: SCHEDULED, nextAttemptScheduleTime: at('2026-01-01T00:01:00Z') },
  });
  const isTried = pending({ ...page, lastFailure, attempt: 5 });
  const lost = pending({ ...page, attempt: 2, lastFailure: { message: 'activity Heartbeat timeout' } });
  const { inWork, retrying } = await openSteps([rests, isTried, lost], progress);
  expect(inWork).toEqual([]);
  expect(
    retrying.map(({ type, message, attempt, maxAttempts, startedAt, nextAttemptAt }) => [
      ...[type, message, attempt, maxAttempts, startedAt, nextAttemptAt],
    ]),
  ).toEqual([
    ['SignerTimeout', 'the bunker did not answer', 5, 0, '2026-01-01T00:00:00.000Z', null],
    ['', 'activity Heartbeat timeout', 2, 0, '2026-01-01T00:00:00.000Z', null],
    ['SignerTimeout', 'the bunker did not answer', 4, 0, null, '2026-01-01T00:01:00.000Z'],
  ]);
});

test('what no worker has taken yet is last of those in work, and says since when it is not', async () => {
  const { inWork } = await openSteps(
    [
      pending({ state: SCHEDULED, activityType: { name: 'sweep' } }),
      pending({ activityType: { name: 'proveSigner' } }),
    ],
    progress,
  );
  expect(inWork.map(({ activity, startedAt }) => [activity, startedAt !== null])).toEqual([
    ['proveSigner', true],
    ['sweep', false],
  ]);
});

test('under a codec, heartbeats and failures are read by it; who has none still sees the type', async () => {
  const flip = (payloads: Payload[]): Promise<Payload[]> =>
    Promise.resolve(
      payloads.map(({ data, ...rest }) => ({ ...rest, data: data?.map((byte) => byte ^ 0xff) ?? null })),
    );
  const codec = { encode: flip, decode: flip };
  const thrown = ApplicationFailure.create({
    type: 'SignerTimeout',
    message: 'secret. Remedy',
    details: [{ reason: 'secret' }],
  });
  const plain = failureConverter.errorToFailure(thrown, defaultPayloadConverter);
  const lastFailure = await encodeFailure([codec], plain);
  const told =
    toPayloads(defaultPayloadConverter, { page: { page: 1, documentType: 'bitspire-fees' } }) ?? [];
  const step = pending({ heartbeatDetails: { payloads: await flip(told) }, lastFailure });
  expect(JSON.stringify(lastFailure)).not.toContain('secret');

  const reader = { options: { loadedDataConverter: { ...defaultDataConverter, payloadCodecs: [codec] } } };
  const known = await openStepsBy(reader, [step], progress);
  expect(known.retrying).toMatchObject([{ page: 1, type: 'SignerTimeout', message: 'secret' }]);
  const unknown = await openSteps([step], progress);
  expect(unknown.retrying).toMatchObject([{ type: 'SignerTimeout', message: 'Encoded failure' }]);
  expect(unknown.retrying[0]).not.toHaveProperty('page');
});
