import { pairBunker } from '../operator';
import { type BunkerOptions, type DevBunker, startBunker } from '../bunker';
import { seedOperator, type SeededMachine } from '../seed';
import type { DevStack } from '../stack';
import { startWorkerProcess } from '../../embedded/worker-process';

/** A stack whose bunkers time out within seconds, so that a picture need not wait for half a minute. */
export async function startPicturedWorker(stack: DevStack): Promise<void> {
  const worker = await startWorkerProcess({
    ...stack.env,
    REPUBLISH_BUNKER_TIMEOUT_MS: '2000',
    REPUBLISH_RETRY_INTERVAL_MS: '4000',
  });
  stack.onStop(() => worker.stop('SIGTERM', 35_000));
}

export interface PicturedOperator {
  id: string;
  bunker: DevBunker;
  machines: SeededMachine[];
}

async function addOperator(
  stack: DevStack,
  id: string,
  machines: number,
  options: Partial<BunkerOptions> = {},
): Promise<PicturedOperator> {
  const bunker = await startBunker({ relays: [stack.relay.url], ...options });
  stack.onStop(() => bunker.stop());
  const seeded = await seedOperator(stack.database, { id, pubkey: bunker.userPubkey, machines });
  await pairBunker(stack, id, bunker);
  return { id, bunker, machines: seeded };
}

/** A bunker on a slow phone: the run goes on for long enough to be looked at. */
export function addSlowOperator(stack: DevStack): Promise<PicturedOperator> {
  return addOperator(stack, 'alice', 60, { answerDelayMs: 700, concurrency: 8 });
}

/** A bunker that asks for approval, and nobody approves. */
export async function addUnapprovedOperator(stack: DevStack): Promise<PicturedOperator> {
  const operator = await addOperator(stack, 'bob', 3);
  operator.bunker.setFaults(({ method }) =>
    method === 'sign_event'
      ? { authUrl: 'https://bunker.example.com/approve/5d20', then: 'nothing' }
      : undefined,
  );
  return operator;
}

/** A bunker that falls silent in the middle. */
export async function addSilentOperator(stack: DevStack): Promise<PicturedOperator> {
  const operator = await addOperator(stack, 'carol', 4);
  let signed = 0;
  operator.bunker.setFaults(({ method }) => {
    if (method === 'sign_event') signed += 1;
    return signed > 3 ? { swallow: true } : undefined;
  });
  return operator;
}

/** A row that no machine would take, and a document that the bunker refuses to sign. */
export async function addFailingOperator(stack: DevStack): Promise<PicturedOperator> {
  const operator = await addOperator(stack, 'dave', 4);
  await stack.database.query(
    'UPDATE spirekeeper.dca_machines SET operator_cash_in_fee_fraction = 0.5 WHERE id = $1',
    [operator.machines[1]?.id],
  );
  const refused = operator.machines[2]?.atmPubkey ?? '';
  operator.bunker.setFaults(({ method, params }) =>
    method === 'sign_event' && params[0]?.includes(`bitspire-cassettes:${refused}`)
      ? { error: 'not allowed' }
      : undefined,
  );
  return operator;
}
