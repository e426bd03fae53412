import fc from 'fast-check';
import { byMachineAndType, compareIds, documentOf, machineOf } from '../../rules/machine-name';
import { forOperator, shellWord } from '../../rules/shell';

test('a machine is named with its id, or by that alone', () => {
  expect(machineOf({ machineId: 'm1', machineName: 'Front desk' })).toBe('Front desk (m1)');
  for (const machineName of [undefined, '', 'm1'])
    expect(machineOf({ machineId: 'm1', machineName })).toBe('m1');
  const document = { documentType: 'fees', machineId: 'm1', machineName: 'Front desk' };
  expect(documentOf(document)).toBe('fees of machine Front desk (m1)');
});

test('ids are in the order of their bytes, as the ledger has them', () => {
  const id = fc.string({ unit: 'binary', maxLength: 4 });
  fc.assert(
    fc.property(id, id, (one, other) => {
      expect(Math.sign(compareIds(one, other))).toBe(Buffer.compare(Buffer.from(one), Buffer.from(other)));
    }),
  );
  expect(['🙂', 'ﬁ', 'b', 'B', 'm10', 'm1'].sort(compareIds)).toEqual(['B', 'b', 'm1', 'm10', 'ﬁ', '🙂']);
});

test('documents of a machine are in the order of the types of the run', () => {
  const documents = ['m2 a', 'm1 z', 'm1 fees', 'm1 a', 'm1 cassettes'].map((text) => {
    const [machineId = '', documentType = ''] = text.split(' ');
    return { machineId, documentType };
  });
  const sorted = documents.toSorted(byMachineAndType(['fees', 'cassettes']));
  const named = sorted.map(({ machineId, documentType }) => `${machineId} ${documentType}`);
  expect(named).toEqual(['m1 fees', 'm1 cassettes', 'm1 a', 'm1 z', 'm2 a']);
});

test('an operator is one word of a shell in a remedy, whatever is in the id', () => {
  expect(forOperator('republish signer add <operator> --bunker', 'op-7')).toBe(
    'republish signer add op-7 --bunker',
  );
  expect(forOperator('republish retry <operator>', "a'; rm -rf $& #")).toBe(
    "republish retry 'a'\\''; rm -rf $& #'",
  );
  for (const id of ['', '-x', '~', 'a b', '$(x)', '*']) expect(shellWord(id)).toBe(`'${id}'`);
});
