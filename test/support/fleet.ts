import { type FleetOptions, type FleetRun, startFleet } from '../../client/fleet';
import { type Saga, type SagaOperator, type SagaOptions, startSaga } from './saga';

/**
 * A saga with long time-outs for bunkers and relays. Other tests run beside it, and an operator must not fail
 * only because the machine is slow.
 */
export async function startPatientSaga(options: SagaOptions = {}): Promise<Saga> {
  const saga = await startSaga(options);
  Object.assign(saga.env, { REPUBLISH_BUNKER_TIMEOUT_MS: '30000', REPUBLISH_RELAY_TIMEOUT_MS: '20000' });
  return saga;
}

/** Starts a fleet on the task queue of the saga. */
export function startFleetOf(saga: Saga, input: Omit<FleetOptions, 'taskQueue'>): Promise<FleetRun> {
  return startFleet(saga.client, { taskQueue: saga.env.REPUBLISH_TASK_QUEUE ?? '', ...input });
}

/** Operators with bunkers of their own, in the order in which a fleet takes them. */
export async function addOperators(
  saga: Saga,
  count: number,
  options: Parameters<Saga['addOperator']>[0] = { machines: 1 },
): Promise<SagaOperator[]> {
  const operators: SagaOperator[] = [];
  for (let index = 0; index < count; index += 1) operators.push(await saga.addOperator(options));
  return operators.sort((a, b) => (a.id < b.id ? -1 : 1));
}

/**
 * Breaks one operator in each of three ways: no signer, a bunker that says no, a machine's row that is wrong.
 */
export async function breakThree(saga: Saga, operators: SagaOperator[]): Promise<Record<string, string>> {
  const [unsigned, denied, invalid] = operators;
  if (unsigned === undefined || denied === undefined || invalid === undefined)
    throw new Error('three operators are needed');
  await saga.database.query('DELETE FROM republish.signers WHERE operator_user_id = $1', [unsigned.id]);
  denied.bunker.setFaults(({ method }) => (method === 'sign_event' ? { error: 'denied' } : undefined));
  await saga.database.query(
    'UPDATE spirekeeper.dca_machines SET operator_cash_in_fee_fraction = 0.5 WHERE id = $1',
    [invalid.machines[0]?.id],
  );
  return { [unsigned.id]: 'failed', [denied.id]: 'incomplete', [invalid.id]: 'incomplete' };
}
