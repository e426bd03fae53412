import { createHash } from 'node:crypto';
import type { DocumentFailure } from '../../contract/failures';
import { noOutcomes, type Progress } from '../../contract/progress';
import type { WrittenAuditRow } from '../../database/audit';
import type { FleetRecord, ReportedOperator } from '../../database/fleet-report';
import type { WrittenFleetAuditRow } from '../../database/fleets';
import type { ReportedDocument, RunRecord } from '../../database/ledger/report';
import { assembledFleet } from '../../inspection/report/fleet';
import type { FleetReport, LiveFleet, LiveRun, RunReport } from '../../inspection/report/model';
import { assembled } from '../../inspection/report/run';

/** Rows as the ledger has them, for reports that no run has to be made for. */

const TYPES = ['bitspire-cassettes', 'bitspire-fees'];
export const RELAYS = ['wss://relay.example.com', 'wss://relay2.example.com', 'wss://nostr.example.org'];
export const OPERATOR_KEY = idOf('operator').replace(/^./, '7');
const START_MS = Date.parse('2026-11-27T12:03:04.000Z');
const NOW = new Date(START_MS + 95_000);

export function idOf(name: string): string {
  return createHash('sha256').update(name).digest('hex');
}

export function at(seconds: number): string {
  return new Date(START_MS + seconds * 1_000).toISOString();
}

/** A published document that all relays hold, unless something else is said. */
export function reported(
  machine: string,
  documentType: string,
  other: Partial<ReportedDocument> = {},
): ReportedDocument {
  return {
    documentType,
    machineId: machine,
    machineName: `Shop ${machine}`,
    outcome: 'published',
    eventId: idOf(`${machine} ${documentType}`),
    supersededBy: null,
    relays: Object.fromEntries(RELAYS.map((relay) => [relay, { state: 'holds' as const }])),
    failureType: null,
    failureMessage: null,
    reused: false,
    sealedAt: at(3),
    signedAt: at(4),
    sentAt: at(5),
    settledAt: at(7),
    ...other,
  };
}

/** What a document has that was never begun. */
export const UNBEGUN = {
  eventId: null,
  relays: {},
  sealedAt: null,
  signedAt: null,
  sentAt: null,
  settledAt: null,
} satisfies Partial<ReportedDocument>;

const RECORD: RunRecord = {
  runId: '0b9d2f6e-5a31-4c1e-9d53-6f7f0a8f2c11',
  workflowId: 'republish-operator-configs/8f3c2b',
  operatorUserId: '8f3c2b',
  operatorPubkey: OPERATOR_KEY,
  documentTypes: TYPES,
  request: { operatorUserId: '8f3c2b', reason: 'the account moved to a bunker' },
  startedAt: at(0),
  closedAt: at(64),
};

export interface ReportedRun {
  documents?: ReportedDocument[];
  record?: Partial<RunRecord>;
  audit?: Partial<WrittenAuditRow>;
  /** In place of an audit. */
  progress?: Partial<Progress> | null;
  live?: Partial<LiveRun>;
  before?: { pubkey: string; until: string };
  temporalAway?: string;
}

export function runReportOf(run: ReportedRun): RunReport {
  const { documents = [], progress, before, temporalAway = null } = run;
  const record = { ...RECORD, ...run.record };
  const { runId, workflowId, operatorUserId } = record;
  const live: LiveRun | null =
    progress === undefined
      ? null
      : {
          runId,
          workflowId,
          status: 'RUNNING',
          startedAt: record.startedAt,
          closedAt: null,
          taskQueue: 'republish-operator-configs',
          obstacle: null,
          cancelRequested: false,
          progress: progress as Progress | null,
          waiting: [],
          approvals: [],
          ...run.live,
        };
  const audit = run.audit === undefined ? undefined : auditRow(record, run.audit);
  return assembled(
    {
      runId,
      workflowId,
      operatorUserId,
      record,
      audit,
      documents,
      live,
      before,
      fleetRunId: undefined,
      temporalAway,
    },
    NOW,
  );
}

function auditRow(
  { runId, workflowId, operatorUserId, operatorPubkey }: RunRecord,
  other: Partial<WrittenAuditRow>,
): WrittenAuditRow {
  return {
    runId,
    workflowId,
    operatorUserId,
    operatorPubkey,
    outcome: 'complete',
    events: {},
    counts: {},
    failures: [],
    skipped: [],
    superseded: [],
    laggards: [],
    failure: null,
    swept: true,
    reason: null,
    interventions: [],
    writtenAt: at(64),
    ...LINK,
    ...other,
  };
}

/** Its place in the chain. */
const LINK = { position: 1, previousHash: null, membersHash: idOf('members'), hash: idOf('row') };

/** Every machine with a document of each type. */
export function documentsFor(machines: number, other: Partial<ReportedDocument> = {}): ReportedDocument[] {
  const width = String(machines).length;
  return Array.from({ length: machines }, (_, index) => `m${String(index + 1).padStart(width, '0')}`).flatMap(
    (machine) => TYPES.map((type) => reported(machine, type, other)),
  );
}

const SILENT = 'the bunker has not answered sign_event within 30 s; nor does it answer a ping';

/** A run that has nearly all that can be seen of one. */
export function failedRun(machines = 12): RunReport {
  const documents = documentsFor(machines);
  const change = (index: number, other: Partial<ReportedDocument>): void =>
    void Object.assign(documents[index] ?? {}, other);
  change(1, {
    outcome: 'failed',
    failureType: 'StateInvalid',
    failureMessage: 'operator_cash_in_fee_fraction: must be at most 0.15 (the cap of the extension)',
    ...UNBEGUN,
    settledAt: at(1),
  });
  for (const index of [4, 5, 6])
    change(index, {
      outcome: 'failed',
      failureType: 'SignerTimeout',
      failureMessage: SILENT,
      signedAt: null,
      sentAt: null,
      relays: {},
      settledAt: at(61),
    });
  change(8, {
    outcome: 'skipped',
    failureType: 'GivenUp',
    failureMessage: 'given up by ada: shop is closed; it had failed: 2 of 3 relays refused it',
    relays: {
      [RELAYS[0] ?? '']: { state: 'holds' },
      [RELAYS[1] ?? '']: { state: 'refused', detail: 'blocked: pay first' },
    },
  });
  change(10, { outcome: 'superseded', supersededBy: idOf('newer') });
  change(11, { outcome: 'unchanged', reused: true });
  for (const index of [14, 15])
    change(index, { ...UNBEGUN, outcome: 'skipped', failureMessage: 'not paired yet', settledAt: at(1) });
  change(17, {
    relays: {
      [RELAYS[0] ?? '']: { state: 'holds' },
      [RELAYS[1] ?? '']: { state: 'holds' },
      [RELAYS[2] ?? '']: { state: 'unreachable', detail: 'connection refused' },
    },
  });
  return runReportOf({
    documents,
    record: {
      request: {
        operatorUserId: '8f3c2b',
        expectedPubkey: OPERATOR_KEY,
        force: true,
        onFailure: 'hold',
        reason: 'the account moved to a bunker',
      },
    },
    before: { pubkey: idOf('operator before'), until: '2026-06-02T08:11:40.000Z' },
    audit: {
      outcome: 'incomplete',
      interventions: [
        { action: 'pause', at: at(20), by: 'ada', reason: 'phone at the bunker is out of battery' },
        { action: 'resume', at: at(31), by: 'ada' },
        { action: 'retry', at: at(40), by: 'grace', documentType: 'bitspire-fees' },
        { action: 'skip', at: at(52), by: 'ada', reason: 'shop is closed', machineId: 'm05' },
      ],
    },
  });
}

/** A run in its middle, whose bunker is slow, and one document of which meets with trouble. */
export function runningRun(): RunReport {
  const documents = documentsFor(60).map((document, index) => {
    if (index < 41) return document;
    const open = { ...document, outcome: null, settledAt: null, relays: {} };
    if (index === 44)
      return {
        ...open,
        signedAt: null,
        sentAt: null,
        failureType: 'SignerTimeout' as const,
        failureMessage: SILENT,
      };
    return index < 48 ? { ...open, sentAt: null } : { ...open, ...UNBEGUN };
  });
  const progress = {
    phase: 'publishing',
    cancelling: false,
    stages: { encrypted: 48, signed: 47, sent: 41, standing: 41 },
    documentTypes: {},
  } satisfies Partial<Progress>;
  return runReportOf({
    documents,
    record: { closedAt: null },
    progress,
    live: {
      waiting: [{ documentType: TYPES[0] ?? '', machineId: 'm25', why: 'signature, asked 12 s before' }],
    },
  });
}

const FLEET: FleetRecord = {
  runId: 'b2a9c1d0-7f60-4b55-8a8e-1d7a0e3fe9aa',
  workflowId: 'republish-fleet',
  request: { all: true, operatorsAtOnce: 16, reason: 'moved to bunkers' },
  startedAt: at(-3_600),
  isAudited: true,
};

export function operatorOf(operatorUserId: string, other: Partial<ReportedOperator> = {}): ReportedOperator {
  const none = noOutcomes();
  return {
    operatorUserId,
    runId: idOf(operatorUserId).slice(0, 36),
    operatorPubkey: OPERATOR_KEY,
    outcome: 'complete',
    failure: null,
    endedAt: at(30),
    counts: {
      'bitspire-cassettes': { ...none, published: 3 },
      'bitspire-fees': { ...none, published: 2, unchanged: 1 },
    },
    failures: [],
    failed: 0,
    ...other,
  };
}

/** A fleet of many, some of whom have failed in different ways. */
export function fleetReportOf(
  operators: number | ReportedOperator[] = 40,
  audit: Partial<WrittenFleetAuditRow> | null = {},
  live: LiveFleet | null = null,
): FleetReport {
  return fleetOf(typeof operators === 'number' ? manyOperators(operators) : operators, audit, live);
}

function manyOperators(operators: number): ReportedOperator[] {
  const none = noOutcomes();
  const lost = (machineId: string): DocumentFailure => ({
    documentType: 'bitspire-fees',
    machineId,
    type: 'RelayQuorumNotReached',
    message: '1 of 3 relays hold it; wss://relay2.example.com: connection refused',
  });
  const all = Array.from({ length: operators }, (_, index) =>
    operatorOf(`op-${String(index + 1).padStart(5, '0')}`),
  );
  all.forEach((operator, index) => {
    if (index % 17 === 3)
      Object.assign(operator, {
        outcome: 'failed',
        failure: { type: 'SignerNotConfigured', message: 'the operator has no signer' },
        counts: null,
        operatorPubkey: null,
      });
    if (index % 23 === 5)
      Object.assign(operator, {
        outcome: 'incomplete',
        failure: { type: 'RepublishIncomplete', message: '2 of 6 documents could not be republished' },
        counts: { 'bitspire-fees': { ...none, published: 4, failed: 2 } },
        failures: [lost('m1'), lost('m2')],
        failed: 2,
      });
  });
  return all;
}

function fleetOf(
  operators: ReportedOperator[],
  audit: Partial<WrittenFleetAuditRow> | null,
  live: LiveFleet | null,
): FleetReport {
  return assembledFleet(
    {
      ...FLEET,
      record: FLEET,
      operators,
      live,
      temporalAway: null,
      audit:
        audit === null
          ? undefined
          : {
              ...FLEET,
              outcome: 'incomplete',
              operators: { complete: 0, incomplete: 0, failed: 0, cancelled: 0, notBegun: 0 },
              failures: [],
              failure: null,
              reason: null,
              interventions: [{ action: 'pause', at: at(-60), by: 'ada', reason: 'lunch' }],
              writtenAt: at(64),
              ...LINK,
              ...audit,
            },
    },
    NOW,
  );
}
