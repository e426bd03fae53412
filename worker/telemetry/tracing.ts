import { createHash } from 'node:crypto';
import { diag, DiagLogLevel, ROOT_CONTEXT, SpanStatusCode, trace, TraceFlags } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BasicTracerProvider, BatchSpanProcessor, RandomIdGenerator } from '@opentelemetry/sdk-trace-base';
import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import type { Logger } from 'pino';
import { type WorkInHand, workInHand } from '../../activities/work-in-hand';
import { within } from '../../async/wait';
import { PACKAGE } from '../../contract/names';
import type { Build } from '../build';

/** Traces the activities of a worker. */
export interface Tracing {
  activity: ActivityInterceptorsFactory;
  /** Sends the remaining spans, within a limited time. */
  close(): Promise<void>;
}

const EXPORT_TIMEOUT_MS = 3_000;
/** The process waits at most this long for the collector when it ends. */
const CLOSE_WITHIN_MS = 5_000;
/** How many runs and executions are remembered: the newest ones. */
const MAX_REMEMBERED = 10_000;

/**
 * Sends a span for each attempt of an activity to an OTLP collector over HTTP. All spans of a run are in one
 * trace. A span contains names, ids and the type of a failure: no message, no input, no result.
 *
 * The trace id is computed from the run id, so that all workers use the same. The SDK's own interceptors
 * would pass it in headers, with code inside the workflow that changes the order of its steps: a run that got
 * an update before tracing was switched on could then not be replayed.
 */
export function startTracing(tracesUrl: string, build: Build, logger: Logger): Tracing {
  diag.setLogger(
    {
      error: () => logger.warn('traces could not be sent'),
      warn: () => undefined,
      info: () => undefined,
      debug: () => undefined,
      verbose: () => undefined,
    },
    DiagLogLevel.ERROR,
  );
  const random = new RandomIdGenerator();
  /** The ids of the one span whose children are recorded already. */
  let given: SpanIds | undefined;
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({
      'service.name': PACKAGE,
      'service.version': build.version,
      'service.instance.id': String(process.pid),
    }),
    idGenerator: {
      generateTraceId: () => given?.traceId ?? random.generateTraceId(),
      generateSpanId: () => given?.spanId ?? random.generateSpanId(),
    },
    spanProcessors: [
      new BatchSpanProcessor(new OTLPTraceExporter({ url: tracesUrl, timeoutMillis: EXPORT_TIMEOUT_MS }), {
        exportTimeoutMillis: EXPORT_TIMEOUT_MS,
      }),
    ],
  });
  const tracer = provider.getTracer(PACKAGE);
  const began = new Map<string, number>();
  /** The run of each execution, as an earlier activity reported it. */
  const runOf = new Map<string, string>();

  /** The span of the run: from the first activity on this worker to the audit. */
  const endRoot = (runId: string, root: SpanIds, workflowId: string): void => {
    given = root;
    const span = tracer.startSpan('run', {
      root: true,
      startTime: began.get(runId) ?? Date.now(),
      attributes: { 'temporal.workflow_id': workflowId, 'temporal.run_id': runId },
    });
    given = undefined;
    span.end();
    began.delete(runId);
  };

  return {
    activity: (context) => ({
      inbound: {
        async execute(input, next) {
          const { info } = context;
          const { workflowId = '', runId: executionRunId = '' } = info.workflowExecution ?? {};
          const startTime = Date.now();
          let failed: string | undefined;
          try {
            return await next(input);
          } catch (thrown) {
            const { type, name } = thrown as { type?: unknown; name?: unknown };
            failed = String(type ?? name);
            throw thrown;
          } finally {
            // Created when the attempt is over: only the ledger knows the document type of the page.
            const work = workInHand(context);
            if (work.runId !== undefined) remember(runOf, executionRunId, work.runId);
            const runId = work.runId ?? runOf.get(executionRunId) ?? executionRunId;
            const root = rootOf(runId);
            if (!began.has(runId)) remember(began, runId, startTime);
            const span = tracer.startSpan(
              info.activityType,
              {
                startTime,
                attributes: {
                  'temporal.workflow_id': workflowId,
                  'temporal.run_id': executionRunId,
                  'temporal.attempt': info.attempt,
                  ...attributesOf(work),
                },
              },
              trace.setSpanContext(ROOT_CONTEXT, { ...root, traceFlags: TraceFlags.SAMPLED, isRemote: true }),
            );
            if (failed !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: failed });
            span.end();
            if (info.activityType === 'persistAudit') endRoot(runId, root, workflowId);
          }
        },
      },
    }),
    async close() {
      await within(provider.shutdown(), CLOSE_WITHIN_MS).catch(() => undefined);
    },
  };
}

function remember<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.set(key, value);
  if (map.size > MAX_REMEMBERED) map.delete(map.keys().next().value ?? '');
}

function attributesOf({ page, documentType }: WorkInHand): Record<string, string | number> {
  return {
    ...(page === undefined ? {} : { 'republish.page': page }),
    ...(documentType === undefined ? {} : { 'republish.document_type': documentType }),
  };
}

interface SpanIds {
  traceId: string;
  spanId: string;
}

function rootOf(runId: string): SpanIds {
  const hash = createHash('sha256').update(runId).digest('hex');
  return { traceId: hash.slice(0, 32), spanId: hash.slice(32, 48) };
}
