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
import type { Seen, Sent } from '../../nostr/relays/seen';
import { type HeldbackBy, thoseWithout, verdictOn } from '../../rules/quorum';
import { isLacking, mayStore, type SweptRelay, type SweptVerdict, sweptVerdict } from '../../rules/sweep';
import type { ActivityCall, ActivityDependencies } from '../dependencies';
import { letsNothingThrough, waitingFor } from '../page/slow-relays';
import { compare } from './compare';
import { Replies } from './replies';

/** A save is in LNbits a moment before it is on a relay. */
const SAVE_REACHES_RELAYS_MS = 2_000;

export interface Sweeping {
  run: RunRow & { operatorPubkey: string };
  /** Number of this sweep. The ledger takes failures from the newest sweep only. */
  sweepNumber: number;
  identity: RelayIdentity;
  call: Pick<ActivityCall, 'signal' | 'show'>;
}

/**
 * Why documents are looked at. Only the first two send events.
 *
 * - `send what is missing`: a document that stands is also sent to each relay that does not have it.
 * - `try on`: it waits for all relays. Only documents that do not stand are sent.
 * - `decide`: the outcomes are written. Documents with too few answers are tried on.
 * - `give up`: documents with too few answers fail, unless they wait for a relay that takes questions slowly.
 */
export type SweepPurpose = 'send what is missing' | 'try on' | 'decide' | 'give up';

const STATE_CHANGED = 'its state was changed after it was read, and no newer document stands';

interface Looked {
  document: SweptDocument;
  event: SignedEvent;
  seen: Seen;
  /** By URL. */
  relays: Map<string, SweptRelay<SignedEvent>>;
  verdict: SweptVerdict;
}

/** Looks at documents, sends what is missing, and writes their outcomes. */
export class Sweeper {
  /** Relays may have stored an event that was sent. The caller sets it to false before it looks again. */
  hasSent = false;
  /** How often a relay has taken a document. */
  taken = 0;
  /** Documents of which too few relays have said whether they have them, or taken them. */
  unanswered: SweptDocument[] = [];
  /** A relay that takes questions slowly, and that some of them wait for. */
  waitsFor: HeldbackBy | undefined;
  readonly #replies = new Replies();

  constructor(
    private readonly deps: ActivityDependencies,
    private readonly sweeping: Sweeping,
  ) {}

  async sweep(documents: readonly SweptDocument[], purpose: SweepPurpose): Promise<void> {
    const isTriedOn = purpose === 'try on' || purpose === 'give up';
    const looked = await this.#look(documents, isTriedOn ? 'all' : 'quorum');
    if (purpose === 'decide' || purpose === 'give up') return this.#decide(looked, purpose === 'give up');
    const { stored, others } = await this.#send(looked, purpose);
    this.hasSent ||= stored.length > 0;
    // The next pass looks at all of them again.
    if (purpose === 'send what is missing' && stored.length > 0) return;
    this.unanswered.push(...stored.map(({ document }) => document));
    await this.#decide(others, false);
  }

  async #look(all: readonly SweptDocument[], until: 'quorum' | 'all'): Promise<Looked[]> {
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
    for (const sightings of seen) this.#replies.noteSilences(sightings);
    return documents.flatMap((document, index) => {
      const event = events[index];
      const sightings = seen[index];
      if (event === undefined || sightings === undefined) return [];
      return [this.#judged({ document, event, seen: sightings }, mayBeSent(document))];
    });
  }

  /** @param sendable false: the document is not sent any more */
  #judged({ document, event, seen }: Pick<Looked, 'document' | 'event' | 'seen'>, sendable: boolean): Looked {
    const relays = this.#replies.with(event, seen);
    const { required } = this.deps.publisher;
    const verdict = sweptVerdict(event, [...relays.values()], { required, mayBeSent: sendable });
    return { document, event, seen, relays, verdict };
  }

  /**
   * Sends what relays lack, if it is still right: the operator may have sold the machine or saved another
   * state since. An outdated event would replace nothing newer, but machines would take it.
   *
   * @returns `stored`: documents that a relay may have stored, which must be looked at again. `others`: the
   *   rest, judged with the replies
   */
  async #send(
    looked: readonly Looked[],
    purpose: 'send what is missing' | 'try on',
  ): Promise<{ stored: Looked[]; others: Looked[] }> {
    const missing = looked.filter(
      ({ document, event, relays, verdict: { kind } }) =>
        mayBeSent(document) &&
        kind !== 'newer' &&
        (kind !== 'stands' || purpose === 'send what is missing') &&
        [...relays.values()].some((relay) => isLacking(event, relay)),
    );
    const wrong = await this.#notRight(missing.map(({ document }) => document));
    const replied = new Map(
      await Promise.all(
        missing
          .filter(({ document }) => !wrong.has(document))
          .map(async (each) => [each, [...(await this.#sendInTurn(each)).values()]] as const),
      ),
    );
    const isStored = (each: Looked): boolean => replied.get(each)?.some(mayStore) === true;
    for (const replies of replied.values())
      if (replies.some(({ kind }) => kind === 'ok' || kind === 'forwarded')) this.taken += 1;
    return {
      stored: looked.filter(isStored),
      others: looked
        .filter((each) => !isStored(each))
        .map((each) => this.#judged(each, mayBeSent(each.document) && !wrong.has(each.document))),
    };
  }

  /** The documents whose account key, machine or state in LNbits has changed since they were published. */
  async #notRight(documents: readonly SweptDocument[]): Promise<ReadonlySet<SweptDocument>> {
    const { account, outdated, changed } = await compare(this.deps, this.sweeping.run, documents);
    return new Set(account === undefined ? [...outdated.keys(), ...changed] : documents);
  }

  /** Sends one document. Where its quorum needs a relay that takes events slowly, it waits for that relay. */
  async #sendInTurn({ document, event, seen, verdict }: Looked): Promise<Sent> {
    const { publisher } = this.deps;
    const { call, identity } = this.sweeping;
    for (;;) {
      const sentAtMs = performance.now();
      const sent = await publisher.send(event, { seen, identity });
      this.#replies.noteSent(event, sentAtMs, sent);
      const taken = [...sent.values()].filter((reply) => reply.kind !== 'lost' && mayStore(reply)).length;
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
  #settlement(looked: Looked, outdated: Failure | undefined): Swept[] {
    const { document, event, verdict } = looked;
    const { documentType, machineId, outcome, lagging } = document;
    const relays = this.#standings(looked);
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
        return failed(outdated ?? { type: 'DocumentLost', message: this.#describe(verdict, relays) });
    }
  }

  /**
   * Compares documents with LNbits: a machine may have another key or owner, and a state may have changed
   * while no newer event stands. A save may be on its way, so the sweep looks at those again. Lost documents
   * are compared too: one that is no longer right is missing because it was not sent again.
   */
  async #compared(looked: Looked[]): Promise<{ outdated: Map<SweptDocument, Failure>; looked: Looked[] }> {
    const isLost = ({ document, verdict }: Looked): boolean =>
      verdict.kind === 'lost' && isGood(document.outcome);
    const asked = looked.filter((each) => each.verdict.kind === 'stands' || isLost(each));
    const { account, outdated, changed } = await compare(
      this.deps,
      this.sweeping.run,
      asked.map(({ document }) => document),
    );
    if (account !== undefined) {
      // A new account key concerns the whole run, and is reported for it.
      return { outdated: new Map(asked.filter(isLost).map(({ document }) => [document, account])), looked };
    }
    if (changed.size === 0) return { outdated, looked };
    await sleep(SAVE_REACHES_RELAYS_MS);
    const again = new Map(
      (await this.#look([...changed], 'all')).map((each) => [each.document, this.#judged(each, false)]),
    );
    for (const [document, { verdict }] of again)
      if (verdict.kind === 'stands' || verdict.kind === 'lost')
        outdated.set(document, { type: 'StateChanged', message: STATE_CHANGED });
    return { outdated, looked: looked.map((each) => again.get(each.document) ?? each) };
  }

  /** By the relays' names as they may be shown. */
  #standings({ event, relays }: Looked): Record<string, RelayStanding> {
    return Object.fromEntries(
      [...relays].map(([url, { shown, sent }]) => [
        this.deps.publisher.nameOf(url),
        verdictOn(event, { confirmed: shown, sent }).standing,
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

function standsAllTheSame({ holding }: SweptVerdict): string {
  return `it had been signed and sent before: ${holding} ${holding === 1 ? 'relay has' : 'relays have'} it`;
}
