import { generateSecretKey } from 'nostr-tools/pure';
import { addBunkerSigner } from '../pairing/signers';
import { loadConfiguration } from '../configuration/load';
import { documentTypes } from '../documents/registry';
import { type DevBunker, startBunker } from './bunker';
import { type DevMachine, type MachineDocument, startMachine } from './machine';
import { seedOperator, type SeededMachine } from './seed';
import type { DevStack } from './stack';

export interface DevOperator {
  id: string;
  bunker: DevBunker;
  machines: SeededMachine[];
  userSecretKey: Uint8Array;
}

/** Starts a second bunker with the operator's key, to rehearse a pairing: a bunker URI works once. */
export async function startSpareBunker(stack: DevStack, { userSecretKey }: DevOperator): Promise<DevBunker> {
  const bunker = await startBunker({ relays: [stack.relay.url], userSecretKey });
  stack.onStop(() => bunker.stop());
  return bunker;
}

/** Seeds an operator whose account has the public key of a new bunker, and pairs that bunker. */
export async function startOperator(stack: DevStack, id: string, machines: number): Promise<DevOperator> {
  const userSecretKey = generateSecretKey();
  const bunker = await startBunker({ relays: [stack.relay.url], userSecretKey });
  stack.onStop(() => bunker.stop());
  const seeded = await seedOperator(stack.database, { id, pubkey: bunker.userPubkey, machines });
  await pairBunker(stack, id, bunker);
  return { id, bunker, machines: seeded, userSecretKey };
}

/** Pairs the bunker with the operator, as `republish signer add --bunker` does. */
export async function pairBunker(stack: DevStack, operatorUserId: string, bunker: DevBunker): Promise<void> {
  const configuration = loadConfiguration({ env: stack.env, needs: ['secretsKey'] });
  await addBunkerSigner(
    { database: stack.database, configuration, operatorUserId, say: () => undefined },
    bunker.uri(),
  );
}

/** Starts machines. They read the documents of this operator and report each new one. */
export async function startMachines(
  stack: DevStack,
  machines: SeededMachine[],
  operatorPubkey: string,
  onDocument: (machine: SeededMachine, document: MachineDocument) => void,
): Promise<DevMachine[]> {
  return Promise.all(
    machines.map(async (seeded) => {
      const machine = await startMachine({
        relays: [stack.relay.url],
        secretKey: seeded.secretKey,
        name: seeded.name,
        operatorPubkey,
        documentTypes: documentTypes.map(({ type }) => type),
        onDocument: (document) => onDocument(seeded, document),
      });
      stack.onStop(() => machine.stop());
      return machine;
    }),
  );
}
