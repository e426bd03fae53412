import { type Failure, traitsOf } from '../../contract/failures';
import { sleep } from '../../async/wait';
import { isGood } from '../../contract/progress';
import type { RelayStanding } from '../../contract/relay-standing';
import {
  noteStandingSkipped,
  settleSwept,
  type Swept,
  type SweptDocument,
} from '../../database/ledger/sweep';
import type { RunRow } from '../../database/ledger/runs';
import { DOCUMENT_KIND, dTag } from '../../documents/document-type';
import { isAuthentic, type SignedEvent, trust } from '../../nostr/events';
import type { RelayIdentity } from '../../nostr/relays/identity';
import type { SendReply } from '../../nostr/relays/document-relay';
import type { Seen, Sent } from '../../nostr/relays/seen';
import { type HeldbackBy, thoseWithout, verdictOn } from '../../rules/quorum';
import { isOutOfDate } from '../../rules/seal';
import { type SweptVerdict, sweptVerdict } from '../../rules/sweep';
import type { ActivityCall, ActivityDependencies } from '../dependencies';
import { readPage } from '../page/read-page';
import { letsNothingThrough, waitingFor } from '../page/slow-relays';

/** A save is in LNbits a moment before it is on a relay. */
const SAVE_REACHES_RELAYS_MS = 2_000;

export interface Sweeping {
  run: RunRow & { operatorPubkey: string };
  /** Number of this sweep. The ledger takes failures from the newest sweep only. */
  sweepNumber: number;
  identity: RelayIdentity;
  call: Pick<ActivityCall, 'signal' | 'show'>;
}

const STATE_CHANGED = 'its state was changed after it was read, and no newer document stands';

interface Looked {
  document: SweptDocument;
  event: SignedEvent;
  seen: Seen;
  verdict: SweptVerdict;
}

/** Looks at documents, sends what is missing, and writes their outcomes. */
export class Sweeper {
  /** Documents that were sent, and that at least one relay did not refuse. */
  sent = 0;
  /** Documents for which too few relays have answered. */
  unanswered: SweptDocument[] = [];
  /** A relay that takes questions slowly, and that some of them wait for. */
  waitsFor: HeldbackBy | undefined;

  constructor(
    private readonly deps: ActivityDependencies,
    private readonly sweeping: Sweeping,
  ) {}

  /**
   * `decide`: nothing is sent any more. `try on`: waits for the slowest relay. `give up`: a document without
   * enough answers fails, unless it waits for a relay that takes questions slowly.
   */
  async sweep(
    documents: SweptDocument[],
    purpose: 'send what is missing' | 'decide' | 'try on' | 'give up',
  ): Promise<void> {
    const looked = await this.#look(
      documents,
      purpose === 'try on' || purpose === 'give up' ? 'all' : 'quorum',
    );
    if (purpose === 'send what is missing') {
      const sent = await this.#send(looked);
      this.sent += sent;
      // The next pass looks at all of them again.
      if (sent > 0) return;
    }
    await this.#decide(looked, purpose === 'give up');
  }

  async #look(all: SweptDocument[], until: 'quorum' | 'all'): Promise<Looked[]> {
    const { publisher } = this.deps;
    const documents = all.filter((document) => {
      // The signature of a good outcome was checked when the signer gave it.
      if (isGood(document.outcome)) trust(signed(document));
      return isAuthentic(signed(document));
    });
    const events = documents.map(signed);
    const addresses = documents.map((document) => ({
      kind: DOCUMENT_KIND,
      pubkey: document.event.pubkey,
      d: dTag(document.documentType, document.atmPubkey ?? ''),
      event: signed(document),
    }));
    const seen = await publisher.look(addresses, this.sweeping.identity, until);
    return documents.flatMap((document, index) => {
      const event = events[index];
      const sightings = seen[index];
      if (event === undefined || sightings === undefined) return [];
      const verdict = sweptVerdict(event, [...sightings.values()], publisher.required);
      return [{ document, event, seen: sightings, verdict }];
    });
  }

  /** @returns how many were sent and not refused */
  async #send(looked: Looked[]): Promise<number> {
    const missing = looked.filter(
      ({ document, verdict, seen }) =>
        mayBeSent(document) && verdict.kind !== 'newer' && isMissingSomewhere(document, seen),
    );
    const replies = await Promise.all(missing.map((each) => this.#sendInTurn(each)));
    return replies.filter((sent) => [...sent.values()].some(mayBeTaken)).length;
  }

  /** Sends one document. Where its quorum needs a relay that takes events slowly, it waits for that relay. */
  async #sendInTurn({ document, event, seen, verdict }: Looked): Promise<Sent> {
    const { publisher } = this.deps;
    const { call, identity } = this.sweeping;
    for (;;) {
      const sent = await publisher.send(event, { seen, identity });
      const taken = [...sent.values()].filter(mayBeTaken).length;
      const waitsFor = publisher.waitsFor(sent, verdict.holding + taken);
      // A failed document is not failed again: it is sent where there is room, and nobody waits.
      if (waitsFor === undefined || !isGood(document.outcome) || letsNothingThrough(this.deps, waitsFor))
        return sent;
      const { documentType, machineId, machineName } = document;
      const why = waitingFor(waitsFor);
      call.show(() => ({ waiting: [{ documentType, machineId, machineName, why }] }));
      await sleep(Math.max(1, waitsFor.untilMs - Date.now()), call.signal);
    }
  }

  async #decide(first: Looked[], giveUp: boolean): Promise<void> {
    const { outdated, looked } = await this.#compared(first);
    const settled: Swept[] = [];
    const skipped: { documentType: string; machineId: string; message: string }[] = [];
    for (const each of looked) {
      const { document, verdict } = each;
      if (document.outcome === 'skipped') {
        if (verdict.holding > 0) skipped.push({ ...document, message: standsAllTheSame(verdict) });
        continue;
      }
      const waitsFor = this.#waitsForSlow(each);
      if (verdict.kind === 'unknown' && isGood(document.outcome) && (!giveUp || waitsFor !== undefined)) {
        this.unanswered.push(document);
        this.waitsFor ??= waitsFor;
      } else settled.push(...this.#settlement(each, outdated.get(document)));
    }
    const { runId } = this.sweeping.run;
    const { sweepNumber: sweep } = this.sweeping;
    if (settled.length > 0) await settleSwept(this.deps.database, { runId, sweep }, settled);
    if (skipped.length > 0) await noteStandingSkipped(this.deps.database, { runId, sweep }, skipped);
  }

  #waitsForSlow({ seen, verdict }: Looked): HeldbackBy | undefined {
    const waitsFor = this.deps.publisher.waitsFor(seen, verdict.holding);
    return waitsFor === undefined || letsNothingThrough(this.deps, waitsFor) ? undefined : waitsFor;
  }

  /** What to write for a document. Empty: the ledger has it already. */
  #settlement({ document, event, seen, verdict }: Looked, outdated: Failure | undefined): Swept[] {
    const { documentType, machineId, outcome, lagging } = document;
    const relays = this.#relays(event, seen);
    const row = { documentType, machineId, eventId: event.id, relays };
    const failed = (why: Pick<Swept, 'type' | 'message'>): Swept[] =>
      isGood(document.outcome) ? [{ ...row, outcome: 'failed', ...why }] : [];
    switch (verdict.kind) {
      case 'newer':
        return outcome === 'superseded' ? [] : [{ ...row, outcome: 'superseded', supersededBy: verdict.by }];
      case 'stands': {
        if (outdated !== undefined) return failed(outdated);
        if (outcome === 'superseded') return [];
        if (!isGood(document.outcome)) return [{ ...row, outcome: 'published' }];
        const lags = Object.values(relays).some(({ state }) => state !== 'holds');
        return lags || lagging ? [{ ...row, outcome: outcome as 'published' | 'unchanged' }] : [];
      }
      case 'unknown':
        return failed({ type: 'RelayQuorumNotReached', message: this.#describe(verdict, relays) });
      case 'lost':
        return failed({ type: 'DocumentLost', message: this.#describe(verdict, relays) });
    }
  }

  /**
   * Compares standing documents with LNbits: a machine may have another key or owner, and a state may have
   * changed while no newer event stands. A save may be on its way, so the sweep looks at those again.
   */
  async #compared(looked: Looked[]): Promise<{ outdated: Map<SweptDocument, Failure>; looked: Looked[] }> {
    const outdated = new Map<SweptDocument, Failure>();
    const changed = new Set<SweptDocument>();
    const standing = looked
      .filter(({ verdict }) => verdict.kind === 'stands')
      .map(({ document }) => document);
    for (const [documentType, machines] of groupBy(standing, (document) => document.documentType)) {
      const page = await readPage(this.deps, { ...this.sweeping.run, documentType, machines });
      // A new account key concerns the whole run, and is reported for it.
      if (page.outdated !== undefined) return { outdated, looked };
      for (const document of machines) {
        const read = page.documents.get(document.machineId);
        if (read === undefined) continue;
        if ('plaintext' in read) {
          if (isOutOfDate(document.stateFingerprint, read.fingerprint)) changed.add(document);
        } else if (read.type === 'PlanOutdated')
          outdated.set(document, { type: 'PlanOutdated', message: read.message });
        else changed.add(document);
      }
    }
    if (changed.size === 0) return { outdated, looked };
    await sleep(SAVE_REACHES_RELAYS_MS);
    const again = new Map((await this.#look([...changed], 'all')).map((each) => [each.document, each]));
    for (const [document, { verdict }] of again)
      if (verdict.kind === 'stands') outdated.set(document, { type: 'StateChanged', message: STATE_CHANGED });
    return { outdated, looked: looked.map((each) => again.get(each.document) ?? each) };
  }

  #relays(event: SignedEvent, seen: Seen): Record<string, RelayStanding> {
    return Object.fromEntries(
      [...seen].map(([url, sighting]) => [
        this.deps.publisher.nameOf(url),
        verdictOn(event, { confirmed: sighting }).standing,
      ]),
    );
  }

  #describe({ holding }: SweptVerdict, relays: Record<string, RelayStanding>): string {
    const { required } = this.deps.publisher;
    return (
      `when all was done ${holding} of the ${required} required relays had the document; ` +
      thoseWithout(relays)
    );
  }
}

function signed({ event, signature }: SweptDocument): SignedEvent {
  return { ...event, sig: signature };
}

/** Not what a person skipped, nor a document of an outdated plan or state. */
function mayBeSent({ outcome, failureType }: SweptDocument): boolean {
  const isOutdated = failureType !== null && traitsOf(failureType).sweep === 'outdated';
  return outcome !== 'skipped' && !isOutdated;
}

/**
 * A relay answers, and does not have it. Relays that do not answer get nothing: it would only be waited for.
 */
function isMissingSomewhere({ event }: SweptDocument, seen: Seen): boolean {
  return [...seen.values()].some(
    (sighting) =>
      sighting.kind === 'nothing' ||
      sighting.kind === 'unseen' ||
      (sighting.kind === 'event' && sighting.event.id !== event.id),
  );
}

function mayBeTaken(reply: SendReply): boolean {
  return reply.kind === 'ok' || reply.kind === 'forwarded' || reply.kind === 'silent';
}

function standsAllTheSame({ holding }: SweptVerdict): string {
  return `it had been signed and sent before: ${holding} ${holding === 1 ? 'relay has' : 'relays have'} it`;
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}
