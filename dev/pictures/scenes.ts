import { pairBunker } from '../operator';
import { type BunkerOptions, type DevBunker, startBunker } from '../bunker';
import { seedOperator, type SeededMachine } from '../seed';
import type { DevStack } from '../stack';
import { startWorkerProcess } from '../../embedded/worker-process';

/** Starts a worker with a short bunker timeout, so that a picture need not wait for 30 s. */
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

/** An operator with a slow bunker: the run is running while the pictures are taken. */
export function addSlowOperator(stack: DevStack): Promise<PicturedOperator> {
  return addOperator(stack, 'alice', 60, { answerDelayMs: 700, concurrency: 8 });
}

/** An operator whose bunker asks for approval, and nobody approves. */
export async function addUnapprovedOperator(stack: DevStack): Promise<PicturedOperator> {
  const operator = await addOperator(stack, 'bob', 3);
  operator.bunker.setFaults(({ method }) =>
    method === 'sign_event'
      ? { authUrl: 'https://bunker.example.com/approve/5d20', then: 'nothing' }
      : undefined,
  );
  return operator;
}

/** An operator whose bunker answers no more after three signatures. */
export async function addSilentOperator(stack: DevStack): Promise<PicturedOperator> {
  const operator = await addOperator(stack, 'carol', 4);
  let signed = 0;
  operator.bunker.setFaults(({ method }) => {
    if (method === 'sign_event') signed += 1;
    return signed > 3 ? { swallow: true } : undefined;
  });
  return operator;
}

/** An operator with an invalid row, and with a document that the bunker refuses to sign. */
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
