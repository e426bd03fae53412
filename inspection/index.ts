/**
 * The commands `plan`, `verify`, `audit` and `report` as functions. They only read: their dependencies cannot
 * write, send or sign. Each uses the configuration of the process (environment variables and
 * `republish.config.json`), opens what it needs and closes it at the end.
 */
import type { GivenParts } from '../assembly/parts';
import { workerConfiguration } from '../assembly/worker-configuration';
import { loadConfiguration, type Need } from '../configuration/load';
import { openReadOnlyDatabase, type ReadOnlyDatabase } from '../database/connection';
import { type AuditReport, auditReport } from './audit';
import { type PlanRequest, planRepublish as plan, type RepublishPlan } from './plan';
import { report as reportOf } from './report';
import type { AskTemporal, Report } from './report/model';
import { type Verification, verifyDocuments as verify, type VerifyRequest } from './verify';

export { hasObstacles } from './ready';
export type { AuditReport, PlanRequest, Report, RepublishPlan, Verification, VerifyRequest };
export type { AskTemporal, GivenParts };
export type { ToldAudit, ToldDocument } from './audit';
export type { Estimate } from './estimate';
export type { SignerFacts } from './plan';
export type { ForeseenDocument } from './plan-document';
export type { RelayFacts } from './relay-probe';
export type {
  Cause,
  FleetReport,
  LiveFleet,
  LiveRun,
  MachineReport,
  OperatorReport,
  RunReport,
  Verdict,
} from './report/model';
export type { RelayVerdict } from './verdict';
export type { AskAs, VerifiedDocument } from './verify';
export { ConfigurationError } from '../configuration/load';
export { type Failure, type FailureType, RepublishError } from '../contract/failures';

export interface PlanOptions extends GivenParts {
  /** Called with what a person must do meanwhile, such as approve at a bunker. Default: nothing is called. */
  say?(text: string): void;
}

/**
 * What a run would do now with each document: publish, unchanged, skipped, or invalid and why. Nothing is
 * signed or published. If documents must be signed, the signer is asked for its public key.
 *
 * @param request the operator, and which documents
 * @param options document types, signer providers and source, as the workers have them. Default: the
 *   configured ones
 * @throws ConfigurationError
 * @throws RepublishError OperatorNotFound, MachineNotFound, UnknownDocumentType, SignerUnlockFailed,
 *   DatabaseUnavailable, DatabaseMisconfigured, SourceUnavailable, SourceMisconfigured
 */
export async function planRepublish(
  request: PlanRequest,
  { say = () => undefined, ...given }: PlanOptions = {},
): Promise<RepublishPlan> {
  return plan(configured(['databaseUrl', 'lnbitsDatabaseUrl', 'relays', 'secretsKey']), request, say, given);
}

/**
 * Asks every relay for every document as its machine would, and compares the answers with what earlier runs
 * published.
 *
 * @param request the operator, which documents, and who authenticates to relays
 * @param options as of `planRepublish`
 * @throws ConfigurationError
 * @throws RepublishError OperatorNotFound, MachineNotFound, UnknownDocumentType, DatabaseUnavailable,
 *   DatabaseMisconfigured, SourceUnavailable, SourceMisconfigured
 */
export async function verifyDocuments(
  request: VerifyRequest,
  options: GivenParts = {},
): Promise<Verification> {
  const needs: Need[] = request.asking?.as === 'operator' ? ['secretsKey'] : [];
  return verify(configured(['databaseUrl', 'lnbitsDatabaseUrl', 'relays', ...needs]), request, options);
}

/**
 * The audit of a run or of an operator's newest runs: outcome, event id and relays of each document,
 * failures, and who intervened and why.
 *
 * @param subject a run id or an operator's id
 * @param options.limit runs of an operator, at most. Default: 10
 * @returns no audits for an unknown subject; `known` then lists the operators that the ledger knows
 * @throws ConfigurationError
 * @throws RepublishError DatabaseUnavailable, DatabaseMisconfigured
 */
export function auditOf(subject: string, { limit = 10 }: { limit?: number } = {}): Promise<AuditReport> {
  return withLedger((database) => auditReport(database, subject, limit));
}

/**
 * What happened in a run or a fleet, or how it stands now, on one page.
 *
 * @param subject a run id (of a run or a fleet); `fleet`: the newest fleet; else an operator's id: the newest
 *   run
 * @param options.temporal `askTemporal(client)` of `republish-operator-configs`, for a run that is not over.
 *   Default: Temporal is not asked, and `temporalAway` says so
 * @throws ConfigurationError
 * @throws RepublishError DatabaseUnavailable, DatabaseMisconfigured
 * @throws Error with `type` `AuditNotFound` for an unknown subject
 */
export function report(subject: string, options: { temporal?: AskTemporal } = {}): Promise<Report> {
  const { temporal = NOT_ASKED } = options;
  return withLedger((db) => reportOf({ db, temporal, now: () => new Date() }, subject));
}

const notAsked = (): Promise<never> => Promise.reject(new Error('it was not to be asked'));
const NOT_ASKED: AskTemporal = { newestRun: notAsked, run: notAsked, fleet: notAsked };

function configured(needs: readonly Need[]) {
  return workerConfiguration(loadConfiguration({ needs }));
}

async function withLedger<T>(work: (database: ReadOnlyDatabase) => Promise<T>): Promise<T> {
  const { databaseUrl } = configured(['databaseUrl']);
  const database = openReadOnlyDatabase({ url: databaseUrl, maxConnections: 2 });
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}
