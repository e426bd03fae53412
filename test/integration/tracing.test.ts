import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startWorkerProcess } from '../../embedded/worker-process';
import { escaped } from '../support/canaries';
import { addOperatorWithCanaries, runUnderFault } from '../support/fault-run';
import { startPatientSaga } from '../support/fleet';
import { STATE_CANARIES } from '../support/invariants';
import type { Saga } from '../support/saga';
import { until } from '../support/until';

interface Span {
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  attributes?: { key: string; value: { stringValue?: string; intValue?: number | string } }[];
  status?: { code: number; message?: string };
}

interface Collector {
  url: string;
  /** Bodies as they came in. */
  bodies: string[];
  spans(): Span[];
  stop(): void;
}

/** Receives OTLP over HTTP, in JSON. */
async function startCollector(): Promise<Collector> {
  const bodies: string[] = [];
  const server: Server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => (body += String(chunk)));
    request.on('end', () => {
      if (request.url === '/v1/traces') bodies.push(body);
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`,
    bodies,
    spans: () =>
      bodies
        .map((body) => JSON.parse(body) as { resourceSpans: { scopeSpans: { spans: Span[] }[] }[] })
        .flatMap(({ resourceSpans }) => resourceSpans)
        .flatMap(({ scopeSpans }) => scopeSpans)
        .flatMap(({ spans }) => spans),
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

describe('traces', () => {
  let saga: Saga;
  let collector: Collector;

  beforeAll(async () => {
    collector = await startCollector();
    saga = await startPatientSaga();
    const worker = await startWorkerProcess({
      ...saga.env,
      // The span of an attempt that was given up for its silence would be that of a failure.
      REPUBLISH_HEARTBEAT_TIMEOUT_MS: '30000',
      REPUBLISH_TRACES_URL: collector.url,
    });
    saga.onStop(() => worker.stop('SIGTERM', 40_000));
  }, 60_000);
  afterAll(async () => {
    await saga.stop();
    collector.stop();
  }, 60_000);

  test('show a run and its activities as one tree, and nothing that is secret', async () => {
    const operator = await addOperatorWithCanaries(saga, { machines: 2 });
    operator.bunker.setFaults(({ method, params }) =>
      method === 'nip44_encrypt' && String(params[1]).includes(STATE_CANARIES.fee)
        ? { error: `cannot encrypt ${String(params[1])}` }
        : undefined,
    );
    const { ids, failure } = await runUnderFault(saga, operator);
    expect(ids).toHaveLength(2);
    expect(failure?.type).toBe('RepublishIncomplete');

    const named = (name: string): Span[] => collector.spans().filter((span) => span.name === name);
    await until(() => named('run').length === 1, 30_000);
    const [root] = named('run');
    const pages = named('republishDocuments');
    const attribute = (span: Span, name: string): string => {
      const { stringValue, intValue } = span.attributes?.find(({ key }) => key === name)?.value ?? {};
      return String(stringValue ?? intValue);
    };
    expect(
      new Set(
        pages.map((span) =>
          ['republish.page', 'republish.document_type'].map((name) => attribute(span, name)).join(),
        ),
      ),
    ).toEqual(new Set(['0,bitspire-cassettes', '1,bitspire-fees']));
    expect(named('persistAudit')).toHaveLength(1);
    for (const span of collector.spans()) {
      expect(span.traceId).toBe(root?.traceId);
      expect(span.parentSpanId ?? '').toBe(span.name === 'run' ? '' : root?.spanId);
    }
    // A document that failed is a fact in the ledger, and no failure of its page.
    expect(pages.filter(({ status }) => status?.code === 2)).toEqual([]);

    const canaries = [
      ...Object.values(STATE_CANARIES),
      saga.env.REPUBLISH_SECRETS_KEY ?? '',
      saga.databaseUrl,
      new URL(saga.databaseUrl).password,
      new URL(operator.bunker.uri()).searchParams.get('secret') ?? '',
    ];
    expect(escaped({ history: '', tables: '', logs: collector.bodies.join('\n') }, canaries)).toEqual([]);
  }, 120_000);

  test('that nobody receives hold up neither a run nor the end of a worker', async () => {
    const lonely = await startPatientSaga();
    try {
      const worker = await startWorkerProcess({
        ...lonely.env,
        REPUBLISH_TRACES_URL: 'http://127.0.0.1:9/v1/traces',
      });
      const operator = await addOperatorWithCanaries(lonely, { machines: 1 });
      expect((await runUnderFault(lonely, operator)).ids).toHaveLength(2);
      await worker.stop('SIGTERM', 40_000);
      expect(worker.epitaph()).toMatch(/^exit code 0/);
    } finally {
      await lonely.stop();
    }
  }, 120_000);
});
