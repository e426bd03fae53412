import fc from 'fast-check';
import type { RepublishInput } from '../../contract/input';
import { differencesOf, requestText } from '../../rules/same-request';
import vectors from '../vectors/same-request.json';

const given = vectors as { theirs: unknown; ours: object; differs: string[] }[];

test.each(given.map((vector, index) => [index, vector] as const))('vector %i', (_, vector) => {
  const { theirs, ours, differs } = vector;
  expect(differencesOf(theirs, ours)).toEqual(differs);
  const isObject = typeof theirs === 'object' && theirs !== null && !Array.isArray(theirs);
  if (isObject) expect(requestText(theirs) === requestText(ours)).toBe(differs.length === 0);
});

const id = fc.constantFrom('a', 'b', 'c');
const request: fc.Arbitrary<RepublishInput> = fc.record(
  {
    operatorUserId: fc.constant('op'),
    documentTypes: fc.array(id, { minLength: 1 }),
    machineIds: fc.array(id, { minLength: 1 }),
    expectedPubkey: fc.constantFrom('ab'.repeat(32), 'cd'.repeat(32)),
    force: fc.boolean(),
    resetCounts: fc.boolean(),
    onFailure: fc.constantFrom('report' as const, 'hold' as const),
    reason: fc.string(),
  },
  { requiredKeys: ['operatorUserId'] },
);

test('the same request in other words is the same request', () => {
  fc.assert(
    fc.property(request, fc.string(), (one, reason) => {
      const { machineIds, documentTypes, ...rest } = one;
      const other = {
        reason,
        ...(documentTypes === undefined ? {} : { documentTypes: [...documentTypes, ...documentTypes] }),
        ...(machineIds === undefined ? { machineIds: null } : { machineIds: machineIds.toReversed() }),
        onFailure: 'report' as const,
        ...rest,
        force: rest.force ?? false,
      };
      expect(differencesOf(other, { ...one, reason: 'another' })).toEqual([]);
    }),
  );
});

test('who differs from whom is said from both sides, and never for two of the same text', () => {
  fc.assert(
    fc.property(request, request, (one, other) => {
      const [there, back] = [differencesOf(one, other), differencesOf(other, one)];
      expect(there.length).toBe(back.length);
      expect(there.length === 0).toBe(requestText(one) === requestText(other));
      for (const words of there) expect(back).not.toContain(words);
    }),
  );
});
