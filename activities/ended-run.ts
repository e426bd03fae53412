import type { AuditRow } from '../database/audit';

/** A closed run: a part of its audit row. */
export type EndedRun = Pick<
  AuditRow,
  'runId' | 'workflowId' | 'operatorUserId' | 'outcome' | 'counts' | 'failure' | 'failures'
>;
