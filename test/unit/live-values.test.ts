import { liveValues } from '../../client/live-values';
import type { WaitingDocument } from '../../contract/progress';
import { progressOf } from '../support/progress';

const waits = (machineId: string, overrides: Partial<WaitingDocument> = {}): WaitingDocument => ({
  documentType: 'bitspire-fees',
  machineId,
  why: 'signature',
  ...overrides,
});

test('stages move while a page is in work, and never say more than was reached', () => {
  const stages = { encrypted: 40, signed: 12, sent: 12, standing: 9 };
  const page = { page: 0, documentType: 'bitspire-fees' };
  expect(liveValues(progressOf({ planned: 100 }), [{ page, stages }]).stages).toEqual(stages);
  // Two pages at once, of different types.
  expect(liveValues(progressOf(), [{ stages }, { stages }, {}]).stages).toMatchObject({
    encrypted: 80,
    sent: 24,
  });
  // A page that is given out again is in both: the sum would count its documents twice.
  const known = progressOf({ planned: 100, published: 30 });
  expect(liveValues(known, [{ page, stages }]).stages).toEqual({
    encrypted: 40,
    signed: 30,
    sent: 30,
    standing: 30,
  });
});

test('without a worker that answers, the pages in work tell what they last told', () => {
  const stages = { encrypted: 3, signed: 2, sent: 1, standing: 0 };
  const waiting = [waits('a')];
  expect(liveValues(null, [{ stages, waiting, approvals: ['https://b.example/1'] }])).toEqual({
    stages,
    waiting,
    approvals: ['https://b.example/1'],
  });
});

test('a page in work knows better why a document waits; the longest trouble comes first; 20 at most', () => {
  const late = waits('late', { since: '2026-01-01T03:00:00.000Z', why: 'SignerTimeout: no answer' });
  const old = waits('old', {
    since: '2026-01-01T01:00:00.000Z',
    why: 'RelayQuorumNotReached: none',
    tries: 9,
  });
  const progress = progressOf({ waiting: [waits('late'), old] });
  expect(liveValues(progress, [{ waiting: [waits('fresh'), late] }]).waiting).toEqual([
    old,
    late,
    waits('fresh'),
  ]);

  const many = Array.from({ length: 20 }, (_, index) => waits(`m${index}`));
  const { waiting } = liveValues(progress, [
    { waiting: many },
    { waiting: many.map((each) => ({ ...each, documentType: 't' })) },
  ]);
  expect(waiting).toHaveLength(20);
  expect(waiting[0]).toEqual(old);
});

test('since when a document meets with trouble stays known while its page tries it again', () => {
  const since = '2026-01-01T03:00:00.000Z';
  const trouble = { why: 'SignerTimeout: no answer', type: 'SignerTimeout' } as const;
  const known = progressOf({ waiting: [waits('a', { since, tries: 3, ...trouble })] });
  // The type is the one of the words, and does not stay when they change.
  expect(liveValues(known, [{ waiting: [waits('a')] }]).waiting).toEqual([waits('a', { since, tries: 3 })]);
});

test('a page to approve on is named once, whoever tells of it', () => {
  const url = 'https://b.example/approve';
  expect(liveValues(progressOf({ approvals: [url] }), [{ approvals: [url] }]).approvals).toEqual([url]);
});
