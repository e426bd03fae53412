import { isDeepStrictEqual } from 'node:util';
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { RepublishResult } from '../../contract/input';
import { workflowIdFor } from '../../contract/names';
import type { DocumentRow } from '../../database/ledger/documents';
import { listSigners } from '../../database/signers';
import type { DevBunker } from '../../dev/bunker';
import type { SeededMachine } from '../../dev/seed';
import { DOCUMENT_KIND } from '../../documents/document-type';
import { eventId, isAuthentic, isNewer, type SignedEvent, type UnsignedEvent } from '../../nostr/events';
import { decryptSecretKey } from '../../nostr/nip49';
import { PROBE_D } from '../../nostr/signers/prove';
import { quorumSize } from '../../rules/quorum';
import { objectionsOf, type States, statesOf } from './as-machine';
import { escaped, placesOf } from './canaries';
import type { Saga } from './saga';

export interface RunToCheck {
  operatorId: string;
  runId: string;
  /** Its secrets are canaries, and what it was asked to sign is held against the ledger. */
  bunker: Pick<DevBunker, 'requests' | 'uri'>;
  /**
   * With their keys: each reads what was published for it. Absent: nobody does. One whose key was replaced
   * stands there twice.
   */
  machines?: readonly SeededMachine[];
  /** What was right at some time of the run, beside what is right now. */
  earlierStates?: States[];
  /** Relays that must hold what was returned. Default: more than half of the saga's. */
  quorum?: number;
  /** What each relay has. Default: the saga's. */
  stores?: () => Promise<SignedEvent[][]>;
  /** What a watcher has seen of the ledger while the run went on. */
  seals?: ReadonlyMap<string, ReadonlySet<string>>;
  /** More that must not get out; the secrets and the planted state are always looked for. */
  canaries?: string[];
}

/**
 * Digits that stand in the state of every operator of the fault tests, in cassettes and in fees, and nowhere
 * else by chance.
 */
export const STATE_CANARIES = { denomination: '40962211', count: '73556083', fee: '293847561' };

class InvariantBroken extends Error {}

/**
 * Checks the invariants I1 to I8 at the end of a run. It reads the stores of the relays, not the network, so
 * that no proxy can hide anything.
 *
 * @throws Error that begins with the invariant's number and says what was seen
 */
export async function checkInvariants(saga: Saga, run: RunToCheck): Promise<void> {
  const workflowId = workflowIdFor(run.operatorId);
  const { status } = await saga.client.workflow.getHandle(workflowId, run.runId).describe();
  demand(status.name !== 'RUNNING', 'I5', 'the run still goes on');

  const returned = await returnedBy(saga, workflowId, run);
  const ledger = await saga.ledger(run.runId);
  const stores = (await run.stores?.()) ?? saga.relays.map((relay) => relay.events() as SignedEvent[]);
  await checkAudit(saga, run, returned, ledger);
  await checkRelays(saga, run, Object.values(returned).flat(), ledger, stores);
  if (run.machines !== undefined) await checkAsMachines(saga, run.machines, run, ledger, stores);
  await checkSecrets(saga, run, workflowId);
  await checkIds(saga, run, ledger);
}

/** I1 and I2. */
async function checkRelays(
  saga: Saga,
  run: RunToCheck,
  ids: string[],
  ledger: DocumentRow[],
  stores: SignedEvent[][],
): Promise<void> {
  const [account] = await saga.database.query<{ pubkey: string }>(
    'SELECT pubkey FROM accounts WHERE id = $1',
    [run.operatorId],
  );
  const quorum = run.quorum ?? quorumSize('majority', stores.length);
  for (const id of ids) {
    const copies = stores.flatMap((store) => store.filter((event) => event.id === id));
    const [event] = copies;
    demand(copies.length >= quorum, 'I1', `${id} is on ${copies.length} relays, the quorum is ${quorum}`);
    demand(copies.every(isAuthentic), 'I1', `${id} does not verify`);
    demand(event?.pubkey === account?.pubkey, 'I1', `${id} is of another author than the account's key`);
    const row = ledger.find((each) => each.event?.id === id);
    demand(
      event?.kind === DOCUMENT_KIND && dOf(event) === `${row?.documentType}:${row?.atmPubkey}`,
      'I1',
      `${id} is not at its document's address`,
    );
    const newer = stores
      .flat()
      .find((other) => sameAddress(other, event) && event !== undefined && isNewer(other, event));
    demand(newer === undefined, 'I2', `${newer?.id} at the same address is newer than ${id}`);
  }
}

/** I7 and I8: what stands, as the machines see it. */
async function checkAsMachines(
  saga: Saga,
  machines: readonly SeededMachine[],
  { earlierStates = [] }: RunToCheck,
  ledger: DocumentRow[],
  stores: SignedEvent[][],
): Promise<void> {
  const states = [await statesOf(saga.database, machines), ...earlierStates];
  const machineOf = ({ machineId, atmPubkey }: DocumentRow): SeededMachine | undefined => {
    const ofId = machines.filter(({ id }) => id === machineId);
    return ofId.find((machine) => machine.atmPubkey === atmPubkey) ?? ofId[0];
  };
  const authors = new Set(ledger.flatMap(({ event }) => event?.pubkey ?? []));
  const ofAuthor = stores.map((store) => store.filter(({ pubkey }) => authors.has(pubkey)));
  for (const row of ledger) {
    const { documentType, machineId, outcome, event } = row;
    if (outcome !== 'published' && outcome !== 'unchanged') continue;
    const machine = machineOf(row);
    const standing = ofAuthor.flat().find(({ id }) => id === event?.id);
    demand(machine !== undefined, 'I7', `${documentType} was published for ${machineId}, which is nobody`);
    demand(standing !== undefined, 'I8', `${documentType} of ${machineId} is on no relay`);
    const document = { documentType, event: standing };
    const [objection] = objectionsOf(machine, document, { stores: ofAuthor, states });
    if (objection !== undefined) demand(false, objection.invariant, objection.what);
  }
}

/** I3. */
async function checkAudit(
  saga: Saga,
  run: RunToCheck,
  returned: RepublishResult,
  ledger: DocumentRow[],
): Promise<void> {
  const audits = (await saga.audits(run.operatorId)).filter(({ runId }) => runId === run.runId);
  const [audit] = audits;
  demand(audits.length === 1 && audit !== undefined, 'I3', `there are ${audits.length} audit rows`);
  demand(
    isDeepStrictEqual(audit.events, returned),
    'I3',
    `the audit says ${JSON.stringify(audit.events)}, the run returned ${JSON.stringify(returned)}`,
  );
  const events: RepublishResult = Object.fromEntries(Object.keys(audit.events).map((type) => [type, []]));
  for (const { documentType, machineId, outcome, event, signature } of ledger) {
    demand(outcome !== null, 'I3', `${documentType} of ${machineId} has no outcome in the ledger`);
    if (outcome !== 'published' && outcome !== 'unchanged') continue;
    demand(event !== null && signature !== null, 'I3', `${documentType} of ${machineId} stands unsigned`);
    (events[documentType] ??= []).push(event.id);
  }
  demand(
    isDeepStrictEqual(audit.events, events),
    'I3',
    `the audit says ${JSON.stringify(audit.events)}, the ledger ${JSON.stringify(events)}`,
  );
  const named = (rows: { documentType: string; machineId: string }[]): string[] =>
    rows.map(({ documentType, machineId }) => `${documentType} of ${machineId}`).sort();
  demand(
    isDeepStrictEqual(named(audit.failures), named(ledger.filter(({ outcome }) => outcome === 'failed'))),
    'I3',
    `the audit names ${named(audit.failures).join(', ')} as failed, the ledger does not`,
  );
}

/** I4. */
async function checkSecrets(saga: Saga, run: RunToCheck, workflowId: string): Promise<void> {
  const secretsKey = saga.env.REPUBLISH_SECRETS_KEY ?? '';
  const signers = (await listSigners(saga.database)).filter((each) => each.operatorUserId === run.operatorId);
  const clientKeys = await Promise.all(
    signers.map(async ({ ncryptsec }) =>
      Buffer.from(await decryptSecretKey(ncryptsec, secretsKey)).toString('hex'),
    ),
  );
  const found = escaped(
    await placesOf(saga, { workflowId, runId: run.runId, operatorUserId: run.operatorId }),
    [
      secretsKey,
      new URL(run.bunker.uri()).searchParams.get('secret') ?? '',
      new URL(saga.databaseUrl).password,
      saga.databaseUrl,
      ...clientKeys,
      ...Object.values(STATE_CANARIES),
      ...(run.canaries ?? []),
    ],
  );
  demand(found.length === 0, 'I4', found.join('; '));
}

/** I6. The bunker's record is complete; a watcher only samples. */
async function checkIds(saga: Saga, run: RunToCheck, ledger: DocumentRow[]): Promise<void> {
  for (const [document, ids] of run.seals ?? []) {
    demand(ids.size === 1, 'I6', `${document} had the ids ${[...ids].join(', ')}`);
    const row = ledger.find((each) => keyOf(each) === document);
    demand(row?.event != null && ids.has(row.event.id), 'I6', `${document} changed its id`);
  }
  const sealed = await saga.database.query<{ id: string }>(
    `SELECT event_id AS id FROM republish.documents JOIN republish.runs USING (run_id)
      WHERE operator_user_id = $1 AND event_id IS NOT NULL`,
    [run.operatorId],
  );
  const known = new Set(sealed.map(({ id }) => id));
  for (const { method, params } of run.bunker.requests) {
    if (method !== 'sign_event') continue;
    const event = JSON.parse(params[0] ?? '{}') as UnsignedEvent;
    // `signer check` gets one event signed that is no document, and drops it.
    if (event.kind !== DOCUMENT_KIND || dOf(event) === PROBE_D) continue;
    const id = eventId(event);
    demand(
      known.has(id),
      'I6',
      `the bunker was asked to sign ${id} (${dOf(event)}), which no run has sealed`,
    );
  }
}

/** Samples the ledger while a run goes on: every event id that each document ever had. */
export function watchSeals(
  saga: Saga,
  runId: string,
  everyMs = 100,
): { end(): Promise<Map<string, Set<string>>> } {
  const seals = new Map<string, Set<string>>();
  let ended = false;
  const sample = async (): Promise<void> => {
    for (const row of await saga.ledger(runId)) {
      if (row.event !== null) seals.set(keyOf(row), (seals.get(keyOf(row)) ?? new Set()).add(row.event.id));
    }
  };
  const watching = (async () => {
    while (!ended) {
      // The database may be what fails.
      await sample().catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
    await sample();
  })();
  return {
    end: async () => {
      ended = true;
      await watching;
      return seals;
    },
  };
}

/**
 * What a caller gets: the result, or what the failure says that stands. A cancelled run returns only its
 * audit.
 */
async function returnedBy(
  saga: Saga,
  workflowId: string,
  { operatorId, runId }: RunToCheck,
): Promise<RepublishResult> {
  try {
    return (await saga.client.workflow.getHandle(workflowId, runId).result()) as RepublishResult;
  } catch (error) {
    const cause = error instanceof WorkflowFailedError ? error.cause : undefined;
    const details = cause instanceof ApplicationFailure ? (cause.details ?? [])[0] : undefined;
    const { published } = (details ?? {}) as { published?: RepublishResult };
    if (published !== undefined) return published;
    const audit = (await saga.audits(operatorId)).find((each) => each.runId === runId);
    return audit?.events ?? {};
  }
}

function keyOf({ documentType, machineId }: { documentType: string; machineId: string }): string {
  return `${documentType}/${machineId}`;
}

function dOf(event: UnsignedEvent): string | undefined {
  return event.tags.find(([name]) => name === 'd')?.[1];
}

function sameAddress(one: UnsignedEvent, other: UnsignedEvent | undefined): boolean {
  return (
    other !== undefined && one.kind === other.kind && one.pubkey === other.pubkey && dOf(one) === dOf(other)
  );
}

function demand(holds: boolean, invariant: `I${number}`, seen: string): asserts holds {
  if (!holds) throw new InvariantBroken(`${invariant} is broken: ${seen}`);
}
