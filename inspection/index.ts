/**
 * What the commands `plan`, `verify`, `audit` and `report` tell, as functions. They only look: what they are
 * made with cannot write, send or sign. Each reads the configuration of the process (environment variables and
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

export { hasObstacles } from './plan';
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
  /** Told what a person has to do meanwhile, such as to approve at a bunker. Default: nobody is told. */
  say?(text: string): void;
}

/**
 * Says for each document what a run would do now: publish, unchanged, skipped, or invalid and why. Nothing is
 * signed or published; where documents would have to be signed, the signer is asked for its public key.
 *
 * @param options document types, providers of signers and source, as the workers have them. Default: what the
 *   configuration names
 * @throws ConfigurationError; RepublishError OperatorNotFound, MachineNotFound, UnknownDocumentType,
 *   SignerUnlockFailed, DatabaseUnavailable, DatabaseMisconfigured, SourceUnavailable, SourceMisconfigured
 */
export async function planRepublish(
  request: PlanRequest,
  { say = () => undefined, ...given }: PlanOptions = {},
): Promise<RepublishPlan> {
  return plan(configured(['databaseUrl', 'lnbitsDatabaseUrl', 'relays', 'secretsKey']), request, say, given);
}

/**
 * Asks every relay for every document as its machine would, and compares with what the runs so far have
 * published.
 *
 * @param options as of `planRepublish`
 * @throws ConfigurationError; RepublishError OperatorNotFound, MachineNotFound, UnknownDocumentType,
 *   DatabaseUnavailable, DatabaseMisconfigured, SourceUnavailable, SourceMisconfigured
 */
export async function verifyDocuments(
  request: VerifyRequest,
  options: GivenParts = {},
): Promise<Verification> {
  const needs: Need[] = request.asking?.as === 'operator' ? ['secretsKey'] : [];
  return verify(configured(['databaseUrl', 'lnbitsDatabaseUrl', 'relays', ...needs]), request, options);
}

/**
 * What the audit has: of each document its outcome, event id and relays; failures; who intervened and why.
 *
 * @param subject a run id, or an operator's id, whose newest runs it is
 * @param options.limit runs of an operator, at most. Default: 10
 * @returns no audits where the ledger knows nothing of the subject: then `known` has the operators it knows
 * @throws ConfigurationError; RepublishError DatabaseUnavailable, DatabaseMisconfigured
 */
export function auditOf(subject: string, { limit = 10 }: { limit?: number } = {}): Promise<AuditReport> {
  return withLedger((database) => auditReport(database, subject, limit));
}

/**
 * What became of a run or of a fleet, or how it stands now, on one page.
 *
 * @param subject a run id, of a run or of a fleet; `fleet` for the newest one; else an operator's id, whose
 *   newest run it is
 * @param options.temporal `askTemporal(client)` of `republish-operator-configs`: for a run that goes on.
 *   Default: Temporal is not asked, and `temporalAway` says so
 * @throws ConfigurationError; RepublishError DatabaseUnavailable, DatabaseMisconfigured; an Error with `type`
 *   `AuditNotFound` where nobody knows the subject
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
