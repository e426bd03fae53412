import { RepublishFailed } from '../../client/errors';
import type { RepublishRun } from '../../client/run';
import type { BunkerFault, FaultAction } from '../../dev/bunker-faults';
import { dTag } from '../../documents/document-type';
import { documentTypes } from '../../documents/registry';
import type { SignedEvent } from '../../nostr/events';
import { newestOf } from '../../rules/newest';
import { objectionsOf, statesOf } from './as-machine';
import { type Disturbed, DISTURBANCES, pause } from './disturbances';
import type { FaultProxy } from './fault-proxy';
import { addOperatorWithCanaries, isEncryptionFor } from './fault-run';
import { checkInvariants, watchSeals } from './invariants';
import { BUNKER_LEVERS, type BunkerTrouble, type Heal, RELAY_LEVERS, type RelayFault } from './levers';
import type { Saga, SagaOperator } from './saga';
import type { Scenario } from './scenario';
import { until } from './until';

/** What a scenario runs in: relays behind proxies, and a worker that can be replaced. */
export interface Stage {
  saga: Saga;
  proxies: FaultProxy[];
  /** Between worker and bunker; the bunker itself talks to the relay behind it. */
  bunkerProxy: FaultProxy;
  replaceWorker(): Promise<void>;
}

/** It ends within this, whatever was wrong (I5). */
const ENDS_WITHIN_MS = 120_000;

/** Where the first document is not begun by then, it is what is wrong that keeps it from that. */
const FIRST_DOCUMENT_WITHIN_MS = 4_000;

/** Runs, at the most, that it takes until all stands, the one under faults among them. */
const RUNS = 4;

/**
 * Plays a scenario: a run under faults that heal, its invariants, then runs until everything is in place, and
 * at the end every machine reads today's state.
 *
 * @throws Error that says what was broken
 */
export async function play(stage: Stage, scenario: Scenario): Promise<{ runs: number; outcome: string }> {
  const { saga, bunkerProxy } = stage;
  const operator = await addOperatorWithCanaries(saga, {
    machines: scenario.machines,
    bunker: { namedRelays: [bunkerProxy.url] },
  });
  const scene: Disturbed = {
    saga,
    operator,
    machines: [...operator.machines],
    states: [await statesOf(saga.database, operator.machines)],
    heals: [],
    outdated: [],
    replaceWorker: () => stage.replaceWorker(),
  };
  const check = { operatorId: operator.id, bunker: operator.bunker, machines: scene.machines };
  const heal = await harm(stage, operator, scenario);
  const run = await saga.start(operator.id);
  const seals = watchSeals(saga, run.runId);
  const disturbing = Promise.all(
    scenario.disturbances.map(async ({ what, afterMs }) => {
      await pause(afterMs);
      await DISTURBANCES[what](scene, run);
    }),
  );
  let isOver = false;
  const ending = ended(run).finally(() => (isOver = true));
  const isBegun = (): boolean =>
    isOver || operator.bunker.requests.some((request) => isEncryptionFor(operator, request));
  const begun = scenario.isHealedFromFirstDocument
    ? until(isBegun, FIRST_DOCUMENT_WITHIN_MS).catch(() => undefined)
    : Promise.resolve();
  const healing = begun.then(async () => {
    await pause(scenario.healAfterMs);
    await heal();
    // As whoever has unlocked a bunker would do: it is not waited for that the run looks by itself.
    await run.retry().catch(() => undefined);
  });
  let [outcome] = await Promise.all([ending, disturbing, healing]);
  for (const healed of scene.heals) await healed();
  const seen = await seals.end();
  // A state may change when all has been looked at for the last time.
  await checkInvariants(saga, { ...check, runId: run.runId, seals: seen, earlierStates: scene.states });
  if (outcome === 'complete' && scene.outdated.length > 0)
    throw new Error(`it is complete, although ${scene.outdated.join(' and ')} while it was paused`);
  if (scenario.isDeleted && deleteOne(saga, operator)) outcome = 'deleted';

  // Healed: what is missing is done by the next run, and then nothing is left to do.
  let runs = 1;
  for (; outcome !== 'complete' && runs < RUNS; runs += 1) {
    const next = await saga.start(operator.id);
    outcome = await ended(next);
    await checkInvariants(saga, { ...check, runId: next.runId });
  }
  if (outcome !== 'complete') throw new Error(`it does not converge: ${outcome} after ${runs} runs`);
  const last = await saga.start(operator.id);
  const result = await last.result();
  await checkInvariants(saga, { ...check, runId: last.runId });
  const ids = Object.values(result).flat();
  const planned = documentTypes.length * operator.machines.length;
  if (ids.length !== planned) throw new Error(`${ids.length} of ${planned} documents stand at the end`);
  await readAsMachines(saga, operator);
  return { runs: runs + 1, outcome };
}

async function ended(run: RepublishRun): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const tell = async (): Promise<never> => {
        const { waiting, phase } = await run.progress();
        throw new Error(
          `I5 is broken: after ${ENDS_WITHIN_MS} ms it is ${phase}: ${JSON.stringify(waiting)}`,
        );
      };
      tell().catch(reject);
    }, ENDS_WITHIN_MS);
  });
  try {
    await Promise.race([run.result(), late]);
    return 'complete';
  } catch (error) {
    if (error instanceof RepublishFailed) return error.type;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** @returns what makes all of it well again */
async function harm(
  { saga, proxies, bunkerProxy }: Stage,
  operator: SagaOperator,
  { relays, relayEvery, bunker: troubles, bunkerEvery, bunkerRelay }: Scenario,
): Promise<() => Promise<void>> {
  const { bunker } = operator;
  const heals: Heal[] = [];
  const pull = async (proxy: FaultProxy, index: number, fault: RelayFault, isIts: boolean): Promise<void> => {
    const relay = saga.relays[index];
    if (relay === undefined) throw new Error('a relay more than there are');
    // A bunker is asked by a key that nobody knows.
    const admits = (pubkey: string): boolean => isIts || pubkey === bunker.userPubkey;
    heals.push(await RELAY_LEVERS[fault]({ proxy, relay, every: relayEvery, admits }));
  };
  for (const [index, fault] of relays.entries()) {
    const proxy = proxies[index];
    if (fault !== undefined && proxy !== undefined) await pull(proxy, index, fault, false);
  }
  if (bunkerRelay !== undefined) await pull(bunkerProxy, 0, bunkerRelay, true);
  const pairAnew = (): Promise<void> => saga.pairAnew(operator);
  const pulled = troubles.map((name): BunkerTrouble =>
    BUNKER_LEVERS[name]({ bunker, every: bunkerEvery, pairAnew }),
  );
  const scripts = pulled.flatMap(({ script }) => script ?? []);
  if (scripts.length > 0) bunker.setFaults(together(scripts));
  return async () => {
    bunker.setFaults(undefined);
    // Relays before a pairing.
    for (const heal of heals) await heal();
    for (const { heal } of pulled) await heal?.();
  };
}

/** All of them at once: each sees every request, whatever the others make of it. */
function together(scripts: BunkerFault[]): BunkerFault {
  return async (request, index) => {
    const actions = await Promise.all(scripts.map((script) => script(request, index)));
    return Object.assign({}, ...actions) as FaultAction;
  };
}

/** As a relay does that was asked to: the event is gone, and refused from now on. */
function deleteOne({ relays }: Saga, { bunker }: SagaOperator): boolean {
  const [event] = relays.flatMap((relay) =>
    relay.events().filter(({ kind, pubkey }) => kind === 30078 && pubkey === bunker.userPubkey),
  );
  if (event === undefined) return false;
  relays.forEach((relay) => relay.forget(event.id));
  return true;
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
