import fc from 'fast-check';
import { problemOfControl } from '../../rules/control';
import { problemsOfFleetInput } from '../../rules/fleet-input';
import { problemOfId } from '../../rules/ids';
import { problemsOfInput } from '../../rules/input';
import vectors from '../vectors/ids.json';

const given = vectors as { id: unknown; why: string | null }[];

test.each(given.map(({ id, why }) => [JSON.stringify(id), id, why] as const))('%s', (_, id, why) => {
  const problem = problemOfId('the id', id);
  if (why === null) return expect(problem).toBeUndefined();
  const [rule, shown] = problem?.split(': ') ?? [];
  expect(rule).toBe('the id must be 1 to 200 characters without blanks or control characters');
  expect(shown).toMatch(new RegExp(`^(".*"|7|null) ${why}$`));
});

test('200 characters are taken, more are not, and are shown cut', () => {
  expect(problemOfId('the id', 'x'.repeat(200))).toBeUndefined();
  expect(problemOfId('the id', 'x'.repeat(201))).toBe(
    `the id must be 1 to 200 characters without blanks or control characters: "${'x'.repeat(60)}"… has 201 characters`,
  );
  expect(problemOfId('the id', '😀'.repeat(101))).toMatch(/has 202 characters$/);
});

test('whatever the id is, the sentence shows it in quotes, on one line, without what steers a terminal, and can be sent', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (id) => {
      const problem = problemOfId('the id', id);
      if (problem === undefined) return expect(id).not.toMatch(/[\s\p{Z}\p{Cc}\p{Cf}\p{Cs}]/u);
      expect(problem).toMatch(/: "[^\p{C}\u2028\u2029]*"…? /u);
      expect(problem.length).toBeLessThan(600);
    }),
  );
});

test('every entry holds its ids to it', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 220 }), (id) => {
      const isId = problemOfId('it', id) === undefined;
      expect(problemsOfInput({ operatorUserId: id }).length === 0).toBe(isId);
      expect(problemsOfInput({ operatorUserId: 'op', machineIds: ['m', id] }).length === 0).toBe(isId);
      expect(problemsOfFleetInput({ operators: ['op', id] }).length === 0).toBe(isId);
      for (const update of ['retry', 'skip'] as const)
        expect(problemOfControl(update, { machineId: id }) === undefined).toBe(isId);
    }),
  );
});
