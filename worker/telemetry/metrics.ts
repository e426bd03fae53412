import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { SignerLoad, Telemetry } from '../../contract/telemetry';

/** From a bunker next to the worker to one behind slow relays. The largest bucket is the default timeout. */
const LATENCY_BUCKETS_S = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

const NO_LOAD: SignerLoad = { inFlight: 0, waiting: 0, pacedBunkers: 0, slowestRatePerS: Infinity };

/**
 * The worker's own metrics. Every label has a bounded set of values: document types, outcomes, failure types,
 * methods, signer kinds, and the configured relays as they may be shown. docs/operations.md explains each of
 * them.
 */
export class Metrics implements Telemetry {
  readonly #registry = new Registry();
  #load: () => SignerLoad = () => NO_LOAD;

  readonly #documents = new Counter({
    name: 'republish_documents_total',
    help: 'Documents that came to their outcome, by type and outcome.',
    labelNames: ['document_type', 'outcome'] as const,
    registers: [this.#registry],
  });
  readonly #failedAttempts = new Counter({
    name: 'republish_document_attempts_failed_total',
    help: 'Attempts at a document that failed, by type of document and of failure; most are tried again.',
    labelNames: ['document_type', 'failure'] as const,
    registers: [this.#registry],
  });
  readonly #runs = new Counter({
    name: 'republish_runs_ended_total',
    help: 'Runs whose audit was written, by outcome.',
    labelNames: ['outcome'] as const,
    registers: [this.#registry],
  });
  readonly #bunkerRequests = new Counter({
    name: 'republish_bunker_requests_total',
    help: 'Requests to bunkers by method and how they ended.',
    labelNames: ['method', 'result'] as const,
    registers: [this.#registry],
  });
  readonly #bunkerLatency = new Histogram({
    name: 'republish_bunker_request_duration_seconds',
    help: 'From sending a request to a bunker to its answer; only requests that were answered.',
    labelNames: ['method'] as const,
    buckets: LATENCY_BUCKETS_S,
    registers: [this.#registry],
  });
  readonly #customSigners = new Counter({
    name: 'republish_custom_signer_requests_total',
    help: 'Requests to the signers of providers, by kind, method and whether they were answered.',
    labelNames: ['kind', 'method', 'result'] as const,
    registers: [this.#registry],
  });
  readonly #relayStandings = new Counter({
    name: 'republish_relay_placements_total',
    help: 'Documents brought to a relay, by relay and by where they stood on it afterwards.',
    labelNames: ['relay', 'state'] as const,
    registers: [this.#registry],
  });
  readonly #dropped = new Counter({
    name: 'republish_messages_dropped_total',
    help: 'Messages that were dropped: unreadable ones in a bunker’s name, malformed ones of a relay.',
    labelNames: ['source'] as const,
    registers: [this.#registry],
  });
  readonly #repeatedTransactions = new Counter({
    name: 'republish_database_transactions_repeated_total',
    help: 'Transactions that Postgres asked to be run again (serialization failure, deadlock).',
    registers: [this.#registry],
  });

  constructor(build: { version: string; buildId: string }) {
    collectDefaultMetrics({ register: this.#registry });
    new Gauge({
      name: 'republish_build_info',
      help: 'Always 1; says which build runs.',
      labelNames: ['version', 'build_id'] as const,
      registers: [this.#registry],
    }).set({ version: build.version, build_id: build.buildId }, 1);
    // Read at each scrape. A gauge that is set on every change would be wrong as often as it is right.
    this.#gauge(
      'republish_bunker_requests_in_flight',
      'Requests at bunkers that have no answer yet.',
      ({ inFlight }) => inFlight,
    );
    this.#gauge(
      'republish_bunker_requests_waiting',
      'Requests that wait for a place at their bunker, or for their turn in its rate.',
      ({ waiting }) => waiting,
    );
    this.#gauge(
      'republish_bunkers_paced',
      'Bunkers whose relays have asked for patience, so that requests are held to a rate.',
      ({ pacedBunkers }) => pacedBunkers,
    );
    this.#gauge(
      'republish_bunker_slowest_rate_requests_per_second',
      'Rate in force at the bunker that is paced most; +Inf while none is.',
      ({ slowestRatePerS }) => slowestRatePerS,
    );
    // These series exist before the first event: Prometheus sees no increase when a series appears with 1.
    for (const source of ['bunker', 'relay']) this.#dropped.inc({ source }, 0);
    for (const outcome of ['complete', 'incomplete', 'failed', 'cancelled']) this.#runs.inc({ outcome }, 0);
  }

  /** All metrics in Prometheus' text format, read now. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  documentsEnded(documentType: string, outcome: string, documents: number): void {
    this.#documents.inc({ document_type: documentType, outcome }, documents);
  }

  tryFailed(documentType: string, failure: string): void {
    this.#failedAttempts.inc({ document_type: documentType, failure });
  }

  runEnded(outcome: string): void {
    this.#runs.inc({ outcome });
  }

  bunkerRequestEnded(method: string, result: string, seconds: number): void {
    this.#bunkerRequests.inc({ method, result });
    if (result === 'answered') this.#bunkerLatency.observe({ method }, seconds);
  }

  customSignerAsked(kind: string, method: string, isAnswered: boolean): void {
    this.#customSigners.inc({ kind, method, result: isAnswered ? 'answered' : 'failed' });
  }

  relayAnswered(relay: string, state: string): void {
    this.#relayStandings.inc({ relay, state });
  }

  messageDropped(source: 'bunker' | 'relay'): void {
    this.#dropped.inc({ source });
  }

  transactionRepeated(): void {
    this.#repeatedTransactions.inc();
  }

  watchSigners(load: () => SignerLoad): void {
    this.#load = load;
  }

  #gauge(name: string, help: string, read: (load: SignerLoad) => number): void {
    const measure = (): number => read(this.#load());
    new Gauge({
      name,
      help,
      registers: [this.#registry],
      collect() {
        this.set(measure());
      },
    });
  }
}
