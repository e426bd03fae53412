import { isDeepStrictEqual } from 'node:util';
import { generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import { nsecEncode } from 'nostr-tools/nip19';
import { connect, type RepublishResult, startRepublish } from '../../client/index';
import { addLocalSigner } from '../../pairing/signers';
import { loadConfiguration } from '../../configuration/load';
import { loadTemporalConfiguration } from '../../configuration/temporal';
import { auditsOfOperator } from '../../database/audit';
import { documentTypes } from '../../documents/registry';
import { type DevBunker, startBunker } from '../bunker';
import type { DevMachine } from '../machine';
import { pairBunker, startMachines } from '../operator';
import { seedOperator, type SeededMachine } from '../seed';
import { type DevStack, startStack } from '../stack';
import { untilToldToStop } from '../../embedded/told-to-stop';
import { startWorkerProcess } from '../../embedded/worker-process';
import { chapter, data, demand, happened, narrateTo, note } from './narrator';

const OPERATOR = 'demo-operator';
const TYPES = documentTypes.map(({ type }) => type);

/** Short timeouts: the demo waits for a bunker that does not answer and for a worker that is dead. */
const IMPATIENT = {
  REPUBLISH_BUNKER_TIMEOUT_MS: '2000',
  REPUBLISH_HEARTBEAT_TIMEOUT_MS: '3000',
  REPUBLISH_BUNKER_CONCURRENCY: '2',
};

export interface DemoOptions {
  /** After the story the servers keep running until Ctrl-C. */
  keep: boolean;
  /** The command that does so, as the person can type it. */
  keepCommand: string;
  /** Shows a line of the story. */
  say(text: string): void;
}

/** Plays a migration on real components. Throws at the first result that is wrong. */
export async function runDemo({ keep, keepCommand, say }: DemoOptions): Promise<void> {
  narrateTo(say);
  const told = untilToldToStop();
  const stack = await startStack({ onStep: note });
  Object.assign(stack.env, IMPATIENT);
  try {
    await Promise.race([
      tell(stack, keep),
      told.signal.then((signal) => {
        throw new Error(`ended by ${signal}`);
      }),
    ]);
    if (keep) {
      chapter('Everything stays up to look around; Ctrl-C ends it');
      note(`Temporal UI: ${stack.temporal.uiUrl}`);
      for (const [name, value] of Object.entries(stack.env)) note(`export ${name}='${value}'`);
      await told.signal;
    }
  } finally {
    await stack.stop();
    told.forget();
  }
  if (!keep)
    chapter(`All of it is stopped again. To keep it and look around, also in Temporal's UI: ${keepCommand}`);
}

async function tell(stack: DevStack, keep: boolean): Promise<void> {
  chapter('1. An operator with three machines publishes under a local key');
  const localKey = generateSecretKey();
  const oldPubkey = getPublicKey(localKey);
  const seeded = await seedOperator(stack.database, { id: OPERATOR, pubkey: oldPubkey, machines: 3 });
  await addLocalSigner(signerContext(stack), nsecEncode(localKey));
  let worker = await startWorkerProcess(stack.env);
  stack.onStop(() => worker.stop('SIGTERM', 35_000));
  const machines = await startMachines(stack, seeded, oldPubkey, () => undefined);
  await republish(stack, keep);
  const before = await allRead(machines, 'the old key');

  chapter('2. The account moves to a bunker: another key, and the machines see nothing');
  const bunker = await startBunker({ relays: [stack.relay.url] });
  stack.onStop(() => bunker.stop());
  await pairBunker(stack, OPERATOR, bunker);
  await stack.database.query('UPDATE accounts SET pubkey = $1 WHERE id = $2', [bunker.userPubkey, OPERATOR]);
  for (const machine of machines) await machine.setOperator(bunker.userPubkey);
  const seen = machines.reduce((sum, machine) => sum + machine.documents().size, 0);
  demand(seen === 0, `under ${bunker.userPubkey.slice(0, 8)}… the machines find ${seen} documents`);

  chapter('3. republishOperatorConfigs, while the bunker swallows a request and the worker is killed');
  const trouble = makeTrouble(bunker, async () => {
    worker.kill('SIGKILL');
    await worker.exited;
    happened('kill -9 of the worker, with requests at the bunker');
    worker = await startWorkerProcess(stack.env);
    happened('another worker has started');
  });
  const events = await republish(stack, keep);
  await trouble();

  chapter('4. What stands now');
  const after = await allRead(machines, 'the new key');
  demand(isDeepStrictEqual(after, before), 'every machine decrypts the same state as before the move');
  await showEvidence(stack, seeded, bunker, events);
}

function signerContext(stack: DevStack) {
  const configuration = loadConfiguration({ env: stack.env, needs: ['secretsKey'] });
  return { database: stack.database, configuration, operatorUserId: OPERATOR, say: note };
}

async function republish(stack: DevStack, keep: boolean): Promise<RepublishResult> {
  const { client, close } = await connect({ temporal: loadTemporalConfiguration(stack.env) });
  try {
    const run = await startRepublish(client, OPERATOR, {
      reason: 'demo',
      taskQueue: stack.env.REPUBLISH_TASK_QUEUE ?? '',
    });
    const workflow = `${encodeURIComponent(run.workflowId)}/${run.runId}`;
    // Without --keep the link would be dead before a person has opened it.
    if (keep) note(`Temporal UI: ${stack.temporal.uiUrl}/namespaces/default/workflows/${workflow}`);
    const startedAtMs = Date.now();
    const events = await run.result();
    const ids = Object.values(events).flat();
    demand(
      ids.length === 6,
      `${ids.length} documents were published in ${((Date.now() - startedAtMs) / 1000).toFixed(1)} s`,
    );
    return events;
  } finally {
    await close();
  }
}

/** Waits until each machine has a document of each type, and returns the decrypted states. */
async function allRead(machines: DevMachine[], key: string): Promise<unknown[]> {
  await Promise.all(machines.map((machine) => machine.waitFor(TYPES, 30_000)));
  for (const machine of machines) {
    happened(
      `${machine.name} decrypts ${[...machine.documents().keys()].toSorted().join(' and ')} under ${key}`,
    );
  }
  return machines.map((machine) => TYPES.map((type) => machine.documents().get(type)?.state));
}

/**
 * The bunker does not answer the first `sign_event`, and the third one kills the worker.
 *
 * @returns a check that both have happened
 */
function makeTrouble(bunker: DevBunker, killWorker: () => Promise<void>): () => Promise<void> {
  let signatures = 0;
  let killing: Promise<void> | undefined;
  bunker.setFaults(({ method }) => {
    if (method !== 'sign_event') return undefined;
    signatures += 1;
    if (signatures === 1) {
      happened('the bunker swallows a request to sign');
      return { swallow: true };
    }
    if (signatures === 3) killing = killWorker();
    return undefined;
  });
  return async () => {
    demand(killing !== undefined, 'the run went on in spite of both');
    await killing;
    bunker.setFaults(undefined);
  };
}

async function showEvidence(
  stack: DevStack,
  seeded: SeededMachine[],
  bunker: DevBunker,
  events: RepublishResult,
): Promise<void> {
  const stored = stack.relay.events().filter(({ pubkey }) => pubkey === bunker.userPubkey);
  const ids = Object.values(events).flat();
  demand(
    stored.length === seeded.length * TYPES.length && stored.every(({ id }) => ids.includes(id)),
    `the relay holds exactly the ${stored.length} events of the result under the new key`,
  );
  const audits = (await auditsOfOperator(stack.database, OPERATOR, 10)).filter(
    ({ operatorPubkey }) => operatorPubkey === bunker.userPubkey,
  );
  const [audit] = audits;
  demand(
    audits.length === 1 && isDeepStrictEqual(audit?.events, events),
    `the run has one audit row, and it agrees (row ${audit?.position}: row 1 is of the run in 1.)`,
  );
  note('Result:');
  data(events);
  note('Audit row:');
  data(audit);
}
