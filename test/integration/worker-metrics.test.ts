import { escaped } from '../support/canaries';
import { addOperators } from '../support/fleet';
import { holdAfter } from '../support/gate';
import { type MonitoredWorker, startMonitoredWorker } from '../support/monitored-worker';
import { type Saga, startSaga } from '../support/saga';
import { total } from '../support/scrape';
import { until } from '../support/until';

describe('metrics and logs of `republish worker`', () => {
  let saga: Saga;
  let worker: MonitoredWorker;

  beforeAll(async () => {
    saga = await startSaga({ relays: 2 });
    worker = await startMonitoredWorker({
      ...saga.env,
      REPUBLISH_LOG_LEVEL: 'debug',
      // A second attempt at a page would be counted too: a busy machine must not cause one.
      REPUBLISH_RELAY_TIMEOUT_MS: '20000',
      REPUBLISH_HEARTBEAT_TIMEOUT_MS: '30000',
    });
    saga.onStop(() => worker.process.stop('SIGTERM', 35_000));
  });
  afterAll(() => saga.stop());

  test('tell what a run did: documents, requests to the bunker, relays, and what the SDK knows', async () => {
    const { id } = await saga.addOperator({ machines: 3 });
    await (await saga.start(id)).result();
    // The SDK counts when it has told the server.
    await until(async () => total(await worker.scrape(), 'temporal_workflow_completed_total') === 1);

    const samples = await worker.scrape();
    for (const documentType of ['bitspire-cassettes', 'bitspire-fees']) {
      const labels = { document_type: documentType, outcome: 'published' };
      expect(total(samples, 'republish_documents_total', labels)).toBe(3);
    }
    expect(total(samples, 'republish_runs_ended_total', { outcome: 'complete' })).toBe(1);
    // One text for the proof of the signer, before the documents.
    for (const [method, requests] of [
      ['nip44_encrypt', 7],
      ['sign_event', 6],
    ] as const) {
      expect(total(samples, 'republish_bunker_requests_total', { method, result: 'answered' })).toBe(
        requests,
      );
      expect(total(samples, 'republish_bunker_request_duration_seconds_count', { method })).toBe(requests);
    }
    for (const { url } of saga.relays) {
      expect(total(samples, 'republish_relay_placements_total', { relay: url, state: 'holds' })).toBe(6);
    }
    expect(total(samples, 'republish_bunker_requests_in_flight')).toBe(0);
    expect(total(samples, 'republish_bunker_slowest_rate_requests_per_second')).toBe(Infinity);
    expect(total(samples, 'republish_build_info')).toBe(1);
    expect(total(samples, 'process_resident_memory_bytes')).toBeGreaterThan(0);
    // The SDK's, in seconds and with the suffixes of Prometheus.
    const ofPages = { activity_type: 'republishDocuments' };
    expect(total(samples, 'temporal_activity_execution_latency_seconds_count', ofPages)).toBe(2);
  });

  test('tell what fails: attempts by failure, bunkers that do not answer, documents that failed in the end', async () => {
    const { id, bunker } = await saga.addOperator({ machines: 1 });
    const before = await worker.scrape();
    bunker.setFaults(({ method, params }) =>
      method === 'sign_event' && String(params[0]).includes('bitspire-fees') ? { swallow: true } : undefined,
    );
    const run = await saga.start(id);
    await expect(run.result()).rejects.toMatchObject({ type: 'RepublishIncomplete', failed: 1 });

    const after = await worker.scrape();
    const grown = (name: string, labels: Record<string, string>): number =>
      total(after, name, labels) - total(before, name, labels);
    const labels = { document_type: 'bitspire-fees' };
    // It is not given up before it was tried three times, and is one question to the bunker all the while.
    expect(grown('republish_bunker_requests_total', { method: 'sign_event', result: 'timeout' })).toBe(1);
    expect(grown('republish_document_attempts_failed_total', { ...labels, failure: 'SignerTimeout' })).toBe(
      3,
    );
    expect(grown('republish_documents_total', { ...labels, outcome: 'failed' })).toBe(1);
    expect(grown('republish_documents_total', { outcome: 'published' })).toBe(1);
    expect(grown('republish_runs_ended_total', { outcome: 'incomplete' })).toBe(1);
  });

  test('show requests in flight while a bunker thinks', async () => {
    // Two bunkers, since each gets one request at a time until it has signed once. They think until that was
    // seen.
    const operators = await addOperators(saga, 2);
    const held = operators.map(({ bunker }) => holdAfter(bunker, 0));
    const runs = await Promise.all(operators.map(({ id }) => saga.start(id)));
    const seen: number[] = [];
    await until(async () => {
      seen.push(total(await worker.scrape(), 'republish_bunker_requests_in_flight'));
      return Math.max(...seen) > 1;
    });
    for (const bunker of held) bunker.release();
    await Promise.all(runs.map((run) => run.result()));
    expect(Math.max(...seen)).toBe(2);
  });

  test('count what was dropped: messages in the bunker’s name that nobody can read', async () => {
    const { id, bunker } = await saga.addOperator({ machines: 1 });
    let spoiled = false;
    bunker.setFaults(({ method }) => {
      if (method !== 'nip44_encrypt' || spoiled) return undefined;
      spoiled = true;
      return { rawPayload: 'no ciphertext' };
    });
    await (await saga.start(id)).result();
    const dropped = total(await worker.scrape(), 'republish_messages_dropped_total', { source: 'bunker' });
    expect(dropped).toBeGreaterThanOrEqual(1);
  });

  test('name nobody: no operator, machine, key or secret, whatever was run before', async () => {
    const { id, machines, bunker } = await saga.addOperator({ machines: 2 });
    const run = await saga.start(id);
    await run.result();
    const operators = await saga.database.query<{ id: string; pubkey: string }>(
      'SELECT id, pubkey FROM accounts',
    );
    const { body } = await worker.get('/metrics');
    const canaries = [
      ...operators.flatMap((operator) => [operator.id, operator.pubkey]),
      ...machines.flatMap((machine) => [machine.id, machine.name, machine.atmPubkey]),
      bunker.signerPubkey,
      run.runId,
      saga.env.REPUBLISH_SECRETS_KEY ?? '',
      saga.databaseUrl,
      new URL(saga.databaseUrl).password,
    ];
    expect(escaped({ history: '', tables: '', logs: body }, canaries)).toEqual([]);
    expect(body).not.toMatch(/[0-9a-f]{64}/);
  });

  test('put workflow, run, page and document type into each line about a page', async () => {
    const { id } = await saga.addOperator({ machines: 2 });
    const run = await saga.start(id);
    await run.result();
    const linesOfRun = (): Record<string, unknown>[] =>
      worker.logs
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as Record<string, unknown>)
        .filter((line) => line.workflowId === run.workflowId);
    const ofPages = (): Record<string, unknown>[] =>
      linesOfRun().filter(
        ({ activityType, msg }) => activityType === 'republishDocuments' && msg === 'Activity completed',
      );
    const ended = (): Record<string, unknown>[] =>
      linesOfRun().filter(({ msg }) => msg === 'a run has ended');
    await until(() => ofPages().length === 2 && ended().length === 1);
    expect(
      ofPages()
        .map(({ runId, page, documentType }) => `${String(runId)} ${String(page)} ${String(documentType)}`)
        .sort(),
    ).toEqual([`${run.runId} 0 bitspire-cassettes`, `${run.runId} 1 bitspire-fees`]);
    expect(ended()).toMatchObject([{ runId: run.runId, outcome: 'complete' }]);
  });
});
