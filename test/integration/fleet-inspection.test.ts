import type { OperatorPlan, OperatorVerification } from '../../inspection/fleet';
import { republish } from '../support/command-line';
import { addOperators, breakThree, startPatientSaga } from '../support/fleet';
import { ledgerText } from '../support/inspection';
import type { Saga } from '../support/saga';

let saga: Saga;
beforeAll(async () => {
  saga = await startPatientSaga();
});
afterAll(() => saga.stop());

test('fleet plan tells who is ready and who is not, fleet verify whose documents are in order', async () => {
  const operators = await addOperators(saga, 4);
  const [unsigned, denied, invalid, ready] = operators.map(({ id }) => id);
  await breakThree(saga, operators);
  const before = await ledgerText(saga);

  const names = [...operators.map(({ id }) => id), 'nobody'];
  const planned = await republish(['fleet', 'plan', ...names, '--json'], saga.env);
  expect(planned.code).toBe(5);
  const plans = JSON.parse(planned.stdout) as OperatorPlan[];
  // A bunker that refuses to sign is only seen when it is asked to sign.
  expect(plans.filter(({ go }) => go).map(({ operatorUserId }) => operatorUserId)).toEqual([denied, ready]);
  expect(plans).toMatchObject([
    { operatorUserId: unsigned, plan: { problems: [{ type: 'SignerNotConfigured' }] } },
    { operatorUserId: denied },
    { operatorUserId: invalid, plan: { counts: { invalid: 1 } } },
    { operatorUserId: ready },
    { operatorUserId: 'nobody', go: false, failure: { type: 'OperatorNotFound' } },
  ]);
  expect(planned.stdout).not.toContain('"json"');

  const table = await republish(['fleet', 'plan', ...names], saga.env);
  expect(table.stdout).toContain('2 of 5 operators are ready');
  expect(table.stdout).toMatch(new RegExp(`${ready} +go `));
  expect(table.stdout).toMatch(new RegExp(`${unsigned} +no-go .*SignerNotConfigured`));
  expect(table.stdout).toContain('sets the counts of 1 machine');
  expect(await ledgerText(saga)).toBe(before);

  const all = await republish(['fleet', 'plan', '--all', '--json'], saga.env);
  // Whoever has a signer here: the one without is no part of a fleet of all.
  expect((JSON.parse(all.stdout) as OperatorPlan[]).map(({ operatorUserId }) => operatorUserId)).toEqual([
    denied,
    invalid,
    ready,
  ]);

  await saga.startWorker();
  await (await saga.start(ready ?? '')).result();
  const verified = await republish(['fleet', 'verify', ready ?? '', invalid ?? '', '--json'], saga.env);
  expect(verified.code).toBe(3);
  expect(JSON.parse(verified.stdout) as OperatorVerification[]).toMatchObject([
    { operatorUserId: ready, verification: { counts: { current: 2, missing: 0 } } },
    { operatorUserId: invalid, verification: { counts: { current: 0, missing: 2 } } },
  ]);
  const good = await republish(['fleet', 'verify', ready ?? ''], saga.env);
  expect(good).toMatchObject({ code: 0, stdout: expect.stringContaining('1 of 1 operators are in order') });
  const bad = await republish(['fleet', 'verify', ready ?? '', 'nobody'], saga.env);
  expect(bad).toMatchObject({ code: 1, stdout: expect.stringContaining('OperatorNotFound') });
  await saga.database.query(
    "UPDATE spirekeeper.dca_machines SET machine_npub = 'bad' WHERE operator_user_id = $1",
    [ready],
  );
  const mistyped = await republish(['fleet', 'verify', ready ?? ''], saga.env);
  expect(mistyped).toMatchObject({
    code: 3,
    stdout: expect.stringMatching(/not in order .*2 of machines with an invalid key/),
  });
  const nobody = await republish(['fleet', 'plan'], saga.env);
  expect(nobody).toMatchObject({ code: 2, stderr: expect.stringContaining('--all') });
}, 180_000);

test('an operator without machines is neither ready nor in order, and it is said where they were looked for', async () => {
  const { id } = await saga.addOperator({ machines: 0 });
  const other = await saga.addOperator({ machines: 1 });
  const where = /the operator has no machines: they were looked for in/;
  const plan = await republish(['fleet', 'plan', id, other.id], saga.env);
  expect(plan.code).toBe(1);
  expect(plan.stdout).toMatch(new RegExp(`${id} +no machines `));
  expect(plan.stdout).toMatch(where);
  expect(plan.stdout).toContain('1 of 2 operators are ready; 1 has no machines');
  const verified = await republish(['fleet', 'verify', id], saga.env);
  expect(verified.code).toBe(1);
  expect(verified.stdout).toMatch(new RegExp(`${id} +no machines `));
  expect(verified.stdout).toMatch(where);
  expect(verified.stdout).toContain('0 of 1 operators are in order');
}, 120_000);
