import { generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import type { RepublishRun } from '../../client/run';
import { RepublishError } from '../../contract/failures';
import type { SeededMachine } from '../../dev/seed';
import { type States, statesOf } from './as-machine';
import type { Heal } from './levers';
import type { Saga, SagaOperator } from './saga';

/** What a disturbance gets, and what it records for the checks of the run. */
export interface Disturbed {
  saga: Saga;
  /** With the machines as they are now. */
  operator: SagaOperator;
  /** The machines as they ever were; one whose key was replaced stands there twice. */
  machines: SeededMachine[];
  /** What was right before something was changed. */
  states: States[];
  /** What has to be undone before everything can stand. */
  heals: Heal[];
  /** Changes of facts: a run that began before them must not end as complete. */
  outdated: string[];
  replaceWorker(): Promise<void>;
}

type Disturb = (scene: Disturbed, run: RepublishRun) => Promise<void>;

const refused = (): undefined => undefined; // the run may have ended by now

const MACHINE = 'spirekeeper.dca_machines';

const stateChanged =
  (fraction: string): Disturb =>
  async ({ saga, operator }) =>
    insisting(saga, `UPDATE ${MACHINE} SET operator_cash_in_fee_fraction = ${fraction} WHERE id = $1`, [
      operator.machines[0]?.id,
    ]);

/**
 * Pauses the run and changes a fact of the plan, if documents are open then: the sweep comes after it.
 *
 * @param what the fact, if the run cannot be complete after the change; absent: a retry can mend it
 */
const whilePaused =
  (change: (scene: Disturbed) => Promise<void>, what?: string): Disturb =>
  async (scene, run) => {
    const isPaused = await run.pause({ by: 'scenario' }).then(
      () => true,
      () => false,
    );
    if (!isPaused) return;
    for (let waitedMs = 0; (await run.status()).inWork.length > 0; waitedMs += 50) {
      if (waitedMs > 30_000) throw new Error('it is paused, and works on for half a minute');
      await pause(50);
    }
    // While the plan is being made, it would take the changed facts.
    const isPlanned = (await run.progress()).phase !== 'loading machines';
    const ledger = await scene.saga.ledger(run.runId);
    if (isPlanned && ledger.some(({ outcome }) => outcome === null)) {
      scene.states.push(await statesOf(scene.saga.database, scene.machines));
      await change(scene);
      if (what !== undefined) scene.outdated.push(what);
    }
    await run.resume().catch(refused);
  };

const sold = whilePaused(async ({ saga, operator }) => {
  const machine = operator.machines.pop();
  await insisting(saga, `UPDATE ${MACHINE} SET operator_user_id = 'else' WHERE id = $1`, [machine?.id]);
}, 'a machine was sold');

/**
 * A retry plans documents that were not sealed for the new key, and the run is then complete. The checks look
 * for the machine with its new key.
 */
const keyReplaced = whilePaused(async ({ saga, operator, machines }) => {
  const machine = operator.machines.at(-1);
  if (machine === undefined) return;
  const secretKey = generateSecretKey();
  const another = { ...machine, secretKey, atmPubkey: getPublicKey(secretKey) };
  operator.machines.splice(-1, 1, another);
  machines.push(another);
  await insisting(saga, `UPDATE ${MACHINE} SET machine_npub = $2 WHERE id = $1`, [
    machine.id,
    another.atmPubkey,
  ]);
});

const accountChanged = whilePaused(async ({ saga, operator, heals }) => {
  const set = (pubkey: string) =>
    insisting(saga, 'UPDATE accounts SET pubkey = $2 WHERE id = $1', [operator.id, pubkey]);
  await set(getPublicKey(generateSecretKey()));
  heals.push(() => set(operator.bunker.userPubkey));
}, 'the account has another key');

/** The next seals of a machine meet a serialization failure, twice. */
const failSerialization: Disturb = async ({ saga, operator }) => {
  const machineId = operator.machines[0]?.id ?? '';
  const name = `scenario_${machineId.replace(/\W/g, '_')}`;
  await insisting(saga, `CREATE SEQUENCE IF NOT EXISTS ${name}`);
  await insisting(
    saga,
    `CREATE OR REPLACE FUNCTION ${name}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.machine_id = '${machineId}' AND OLD.event_id IS NULL AND NEW.event_id IS NOT NULL AND nextval('${name}') <= 2 THEN
    RAISE EXCEPTION 'planned' USING ERRCODE = '40001';
  END IF;
  RETURN NEW;
END $$`,
  );
  await insisting(
    saga,
    `CREATE OR REPLACE TRIGGER ${name} BEFORE UPDATE ON republish.documents FOR EACH ROW EXECUTE FUNCTION ${name}()`,
  );
};

export const DISTURBANCES = {
  'connections terminated': async ({ saga }) =>
    insisting(
      saga,
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
    ),
  'serialization failures': failSerialization,
  'second start': async ({ saga, operator }, run) => {
    // It attaches, and starts no run of its own: a later run would publish other states than the checks expect.
    if ((await run.progress()).phase !== 'done') await saga.start(operator.id);
  },
  pause: async (_, run) => {
    await run.pause({ by: 'scenario' }).catch(refused);
    await pause(400);
    await run.resume().catch(refused);
  },
  cancel: async (_, run) => void (await run.cancel({ reason: 'scenario' }).catch(refused)),
  retry: async (_, run) => void (await run.retry().catch(refused)),
  skip: async ({ operator }, run) =>
    void (await run.skip({ machineId: operator.machines[0]?.id ?? '', by: 'scenario' }).catch(refused)),
  'state changed': stateChanged('0.0725'),
  'worker replaced': ({ replaceWorker }) => replaceWorker(),
  'machine sold': sold,
  'machine key replaced': keyReplaced,
  'account key changed': accountChanged,
  // No JSON number carries it.
  'digits beyond a number': async (scene, run) => {
    await stateChanged('0.012345678901234567890123')(scene, run);
    scene.heals.push(() => stateChanged('0.0725')(scene, run));
  },
} satisfies Record<string, Disturb>;

export type Disturbance = keyof typeof DISTURBANCES;

/** Disturbances that pause the run, and expect a sweep after them. */
const OUTDATING: readonly Disturbance[] = ['machine sold', 'machine key replaced', 'account key changed'];

/** Leaves out pairs that undo each other: a cancelled run is not swept, and a second pause is refused. */
export function compatible<Of extends { what: Disturbance }>(disturbances: readonly Of[]): Of[] {
  const [first] = disturbances.filter(({ what }) => OUTDATING.includes(what));
  if (first === undefined) return [...disturbances];
  return disturbances.filter(
    (each) => each === first || ![...OUTDATING, 'cancel', 'pause'].includes(each.what),
  );
}

/** A statement of the scenario's own, whose connection another of its disturbances may terminate. */
async function insisting(saga: Saga, text: string, values: unknown[] = []): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await saga.database.query(text, values);
      return;
    } catch (error) {
      if (attempt === 10 || !(error instanceof RepublishError && error.type === 'DatabaseUnavailable'))
        throw error;
      await pause(50);
    }
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
