import fc from 'fast-check';
import { RepublishFailed } from '../../client/errors';
import { RepublishError } from '../../contract/failures';
import type { RepublishRun } from '../../client/run';
import { dTag } from '../../documents/document-type';
import { documentTypes } from '../../documents/registry';
import type { FaultAction } from '../../dev/bunker-faults';
import type { SignedEvent } from '../../nostr/events';
import { newestOf } from '../../rules/newest';
import { objectionsOf, statesOf } from './as-machine';
import type { FaultProxy, ProxyAction } from './fault-proxy';
import { addOperatorWithCanaries } from './fault-run';
import { checkInvariants, watchSeals } from './invariants';
import type { Saga, SagaOperator } from './saga';

type RelayFault =
  'drops' | 'swallows' | 'delays' | 'refuses for now' | 'stores nothing' | 'is down' | 'demands to know';
type BunkerTrouble = 'swallows' | 'delays' | 'repeats itself' | 'is garbled' | 'dies' | 'says no';
type Disturbance =
  | 'connections terminated'
  | 'serialization failures'
  | 'second start'
  | 'pause'
  | 'cancel'
  | 'state changed'
  | 'retry'
  | 'skip'
  | 'worker replaced';

/** Several faults of the matrix at once. All of them heal. */
export interface Scenario {
  machines: number;
  relays: (RelayFault | undefined)[];
  /** Every so many frames a relay misbehaves. */
  relayEvery: number;
  bunker: BunkerTrouble | undefined;
  bunkerEvery: number;
  disturbances: { what: Disturbance; afterMs: number }[];
  /** When relays and bunker are well again. */
  healAfterMs: number;
}

const RELAY_FAULTS: RelayFault[] = [
  'drops',
  'swallows',
  'delays',
  'refuses for now',
  'stores nothing',
  'is down',
  'demands to know',
];
const BUNKER_TROUBLES: BunkerTrouble[] = [
  'swallows',
  'delays',
  'repeats itself',
  'is garbled',
  'dies',
  'says no',
];
const DISTURBANCES: Disturbance[] = [
  'connections terminated',
  'serialization failures',
  'second start',
  'pause',
  'cancel',
  'state changed',
  'retry',
  'skip',
  'worker replaced',
];

const scenarios = fc.record<Scenario>({
  machines: fc.integer({ min: 1, max: 4 }),
  relays: fc.array(fc.option(fc.constantFrom(...RELAY_FAULTS), { nil: undefined }), {
    minLength: 3,
    maxLength: 3,
  }),
  relayEvery: fc.integer({ min: 1, max: 4 }),
  bunker: fc.option(fc.constantFrom(...BUNKER_TROUBLES), { nil: undefined }),
  bunkerEvery: fc.integer({ min: 2, max: 5 }),
  disturbances: fc.array(
    fc.record({ what: fc.constantFrom(...DISTURBANCES), afterMs: fc.integer({ min: 0, max: 1_500 }) }),
    { maxLength: 3 },
  ),
  healAfterMs: fc.integer({ min: 500, max: 2_500 }),
});

/** The scenario of a seed: the same for ever, as long as the lists above are the same. */
export function scenarioOf(seed: number): Scenario {
  const [scenario] = fc.sample(scenarios, { seed, numRuns: 1 });
  if (scenario === undefined) throw new Error('fast-check gave no scenario');
  return scenario;
}

export function described({ machines, relays, bunker, disturbances, healAfterMs }: Scenario): string {
  const parts = [
    `${machines} machines`,
    ...relays.flatMap((fault, index) => (fault ? [`relay ${index + 1} ${fault}`] : [])),
    ...(bunker ? [`bunker ${bunker}`] : []),
    ...disturbances.map(({ what, afterMs }) => `${what} after ${afterMs} ms`),
    `well after ${healAfterMs} ms`,
  ];
  return parts.join(', ');
}

/** What a scenario runs in: relays behind proxies, and a worker that can be replaced. */
export interface Stage {
  saga: Saga;
  proxies: FaultProxy[];
  replaceWorker(): Promise<void>;
}

/**
 * Plays a scenario: a run under faults that heal, its invariants, then runs until everything is in place, and
 * at the end every machine reads today's state.
 *
 * @throws Error that says what was broken
 */
export async function play(stage: Stage, scenario: Scenario): Promise<{ runs: number; outcome: string }> {
  const { saga } = stage;
  const operator = await addOperatorWithCanaries(saga, { machines: scenario.machines });
  const heal = await harm(stage, operator, scenario);
  const atFirst = await statesOf(saga.database, operator.machines);
  const check = { operatorId: operator.id, bunker: operator.bunker, machines: operator.machines };
  const run = await saga.start(operator.id);
  const seals = watchSeals(saga, run.runId);
  const disturbing = Promise.all(
    scenario.disturbances.map(async ({ what, afterMs }) => {
      await pause(afterMs);
      await disturb(stage, operator, run, what);
    }),
  );
  const healing = pause(scenario.healAfterMs).then(heal);
  let outcome = await ended(run);
  await Promise.all([disturbing, healing]);
  const seen = await seals.end();
  // A state may change when all has been looked at for the last time.
  await checkInvariants(saga, { ...check, runId: run.runId, seals: seen, earlierStates: [atFirst] });

  // Healed: what is missing is done by the next run, and then nothing is left to do.
  let runs = 1;
  for (; outcome !== 'complete' && runs < 4; runs += 1) {
    const next = await saga.start(operator.id);
    outcome = await ended(next);
    await checkInvariants(saga, { ...check, runId: next.runId });
  }
  if (outcome !== 'complete') throw new Error(`it does not converge: ${outcome} after ${runs} runs`);
  const last = await saga.start(operator.id);
  const events = await last.result();
  await checkInvariants(saga, { ...check, runId: last.runId });
  const ids = Object.values(events).flat();
  if (ids.length !== 2 * scenario.machines)
    throw new Error(`${ids.length} of ${2 * scenario.machines} documents stand at the end`);
  await readAsMachines(saga, operator);
  return { runs: runs + 1, outcome };
}

async function ended(run: RepublishRun): Promise<string> {
  try {
    await run.result();
    return 'complete';
  } catch (error) {
    if (error instanceof RepublishFailed) return error.type;
    throw error;
  }
}

async function harm(
  { proxies }: Stage,
  { bunker }: SagaOperator,
  { relays, relayEvery, bunker: trouble, bunkerEvery }: Scenario,
): Promise<() => Promise<void>> {
  const actions: Partial<Record<RelayFault, ProxyAction>> = {
    drops: { drop: 'after' },
    swallows: { swallowAnswer: true },
    delays: { delayMs: 700 },
    'refuses for now': { answer: { ok: false, message: 'rate-limited: slow down' } },
    'stores nothing': { answer: { ok: true, message: '' } },
  };
  for (const [index, fault] of relays.entries()) {
    const proxy = proxies[index];
    if (fault === undefined || proxy === undefined) continue;
    if (fault === 'is down') await proxy.down();
    else if (fault === 'demands to know') {
      proxy.demandAuthentication((pubkey) => pubkey === bunker.userPubkey);
      proxy.dropConnections();
    } else
      proxy.setFault(({ type, nth }) =>
        type === 'EVENT' && nth % relayEvery === 0 ? actions[fault] : undefined,
      );
  }
  const troubles: Partial<Record<BunkerTrouble, FaultAction>> = {
    swallows: { swallow: true },
    delays: { delayMs: 800 },
    'repeats itself': { duplicate: 3, delayMs: 50 },
    'is garbled': { rawPayload: 'garbage' },
    'says no': { error: 'try again later' },
  };
  if (trouble === 'dies') bunker.pause();
  else if (trouble !== undefined)
    bunker.setFaults((_request, index) => (index % bunkerEvery === 0 ? troubles[trouble] : undefined));
  return async () => {
    bunker.setFaults(undefined);
    bunker.resume();
    for (const [index, fault] of relays.entries()) {
      const proxy = proxies[index];
      proxy?.setFault(undefined);
      proxy?.demandAuthentication(undefined);
      if (fault === 'demands to know') proxy?.dropConnections();
      if (fault === 'is down') await proxy?.up();
    }
  };
}

async function disturb(
  { saga, replaceWorker }: Stage,
  { id, machines }: SagaOperator,
  run: RepublishRun,
  what: Disturbance,
): Promise<void> {
  const refused = (): undefined => undefined; // the run may have ended by now
  switch (what) {
    case 'connections terminated':
      await insisting(
        saga,
        'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
      );
      return;
    case 'serialization failures':
      return failSerialization(saga, machines[0]?.id ?? '');
    case 'second start':
      // Not one of its own: behind the run it would publish what the run is then held against.
      if ((await run.progress()).phase !== 'done') await saga.start(id);
      return;
    case 'pause':
      await run.pause({ by: 'scenario' }).catch(refused);
      await pause(400);
      await run.resume().catch(refused);
      return;
    case 'cancel':
      await run.cancel({ reason: 'scenario' }).catch(refused);
      return;
    case 'retry':
      await run.retry().catch(refused);
      return;
    case 'skip':
      await run.skip({ machineId: machines[0]?.id ?? '', by: 'scenario' }).catch(refused);
      return;
    case 'state changed':
      await insisting(
        saga,
        'UPDATE spirekeeper.dca_machines SET operator_cash_in_fee_fraction = 0.0725 WHERE id = $1',
        [machines[0]?.id],
      );
      return;
    case 'worker replaced':
      await replaceWorker();
      return;
  }
}

/** The next seals of a machine meet a serialization failure, twice. */
async function failSerialization(saga: Saga, machineId: string): Promise<void> {
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
}

/**
 * Each machine finds the newest document of the operator's current key, and it holds today's state to the
 * byte.
 */
async function readAsMachines(saga: Saga, { machines, bunker }: SagaOperator): Promise<void> {
  const stores = saga.relays.map((relay) => relay.events() as SignedEvent[]);
  const states = [await statesOf(saga.database, machines)];
  for (const machine of machines) {
    for (const { type: documentType } of documentTypes) {
      const d = dTag(documentType, machine.atmPubkey);
      const event = newestOf(
        stores
          .flat()
          .filter(
            ({ pubkey, tags }) => pubkey === bunker.userPubkey && tags.some(([, value]) => value === d),
          ),
      );
      if (event === undefined) throw new Error(`machine ${machine.id} finds no ${documentType}`);
      const [objection] = objectionsOf(machine, { documentType, event }, { stores, states });
      if (objection !== undefined) throw new Error(`at the end: ${objection.what}`);
    }
  }
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

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
