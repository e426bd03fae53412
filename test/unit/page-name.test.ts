import fc from 'fast-check';
import { contentOf, pageOf } from '../../rules/page-numbers';
import { pageName } from '../../rules/page-name';

test.each([
  [1, 3, 3, 'bitspire-fees, 3 machines'],
  [1, 1, 1, 'bitspire-fees, 1 machine'],
  [101, 200, 10_000, 'bitspire-fees, machines 101-200 of 10,000'],
  [9_901, 10_000, 10_000, 'bitspire-fees, machines 9,901-10,000 of 10,000'],
  [101, 101, 101, 'bitspire-fees, machine 101 of 101'],
  [1_234_501, 1_234_567, 1_234_567, 'bitspire-fees, machines 1,234,501-1,234,567 of 1,234,567'],
])('machines %i to %i of %i', (from, to, machines, name) => {
  expect(pageName({ documentType: 'bitspire-fees', from, to }, machines)).toBe(name);
});

test('every document is on the page whose name has its machine', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 100 }),
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 5_000 }),
      fc.nat(),
      fc.nat(),
      (documentsPerPage, types, machines, anyMachine, anyType) => {
        const documentTypes = Array.from({ length: types }, (_, index) => `type-${index}`);
        const limits = {
          ...{ documentsPerPage, pagesAtOnce: 1, pagesPerExecution: 1 },
          ...{ attemptTimeoutMs: 1, heartbeatTimeoutMs: 1 },
        };
        const [machine, type] = [anyMachine % machines, anyType % types];
        const page = pageOf({ documentTypes, limits }, machine, type);
        const { documentType, from, to } = contentOf({ documentTypes, limits }, page, machines);
        expect(documentType).toBe(documentTypes[type]);
        expect(from <= machine + 1 && machine + 1 <= to).toBe(true);
        expect(to - from).toBeLessThan(documentsPerPage);
      },
    ),
  );
});
