import type { OpenedRun } from '../../contract/activities';
import { loadSummary, pageSummary, selectionSummary } from '../../workflows/summaries';

const opened: OpenedRun = {
  operatorPubkey: 'f'.repeat(64),
  documentTypes: ['bitspire-fees', 'bitspire-cassettes'],
  limits: {
    documentsPerPage: 100,
    pagesAtOnce: 4,
    pagesPerExecution: 200,
    attemptTimeoutMs: 60_000,
    heartbeatTimeoutMs: 15_000,
  },
};

test.each([
  [0, 3, 'bitspire-fees, 3 machines'],
  [1, 1, 'bitspire-cassettes, 1 machine'],
  [0, 100, 'bitspire-fees, 100 machines'],
  [0, 101, 'bitspire-fees, machines 1-100 of 101'],
  [3, 101, 'bitspire-cassettes, machine 101 of 101'],
  [2, 10_000, 'bitspire-fees, machines 101-200 of 10,000'],
  [199, 10_000, 'bitspire-cassettes, machines 9,901-10,000 of 10,000'],
])('page %i of %i machines', (page, machines, summary) => {
  expect(pageSummary(opened, page, machines)).toBe(summary);
});

test('what is loaded, and what is selected', () => {
  expect(loadSummary(undefined)).toBe('load machines');
  expect(loadSummary({ machineId: 'm', machines: 1_000, documentsPerPage: 100 })).toBe(
    'load machines from 1001 on',
  );
  expect(selectionSummary('give up', {})).toBe('give up: all types of all machines');
  expect(selectionSummary('try again', { documentType: 'fees', machineId: 'operator-1-machine-0042' })).toBe(
    'try again: fees of machine oper…0042',
  );
});
