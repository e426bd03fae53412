import { onAbort, sleep, within } from '../../async/wait';
import type { PageCounts, PageReference } from '../../contract/activities';
import { ensureError, RepublishError, scopeOf } from '../../contract/failures';
import type { BegunPage } from '../../database/ledger/page';
import { sealReused } from '../../database/ledger/facts';
import { noteTrouble } from '../../database/ledger/trouble';
import type { ActivityCall, ActivityDependencies } from '../dependencies';
import { isForced } from '../steps/force';
import { relayIdentity } from '../steps/relay-identity';
import {
  asTrouble,
  isSigned,
  type PageDocument,
  pageDocument,
  type Trouble,
  troubleOf,
  YIELD,
} from './document';
import { place } from './place';
import { look, type PageFacts, prepare, type Prepared } from './prepare';
import { shownOf } from './shown';
import { authentic, stillRight } from './signed-before';
import { Signing } from './signing';
import { byTurn, noteSpared } from './slow-relays';

/** How often one attempt puts a document off (for a date, or for another run's seal). */
const MAX_ROUNDS = 5;
/** After this time without another signature, the page no longer waits to read back what is signed. */
const QUIET_MS = 1_000;

/**
 * One attempt at a page. Each round does two things. Documents without a signature are looked up, read,
 * judged, sealed and signed, one by one. Documents with a signature are sent, read back and settled together.
 * A failure belongs to one document and never stops the others; all failures are written down at the end.
 */
export class PageAttempt {
  readonly documents: PageDocument[];
  /** `performance.now()` at the beginning. */
  readonly beganAtMs = performance.now();
  /** A document got a seal, a signature or an outcome. */
  advanced = false;
  /** Documents need a signer, and this run has not proved it. */
  unproven = false;
  readonly facts: PageFacts;
  /** Aborts when the page yields: no further document is begun, and none waits for its turn any longer. */
  readonly #turn = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor(
    readonly deps: ActivityDependencies,
    private readonly begun: BegunPage,
    private readonly reference: PageReference,
    readonly call: ActivityCall,
  ) {
    const { run, documentType } = begun;
    const operatorPubkey = run.operatorPubkey ?? '';
    this.documents = begun.documents.map((row) => pageDocument(row, operatorPubkey, documentType));
    const owner = { operatorUserId: run.operatorUserId, operatorPubkey };
    this.facts = {
      runId: reference.runId,
      ...owner,
      documentType,
      force: isForced(deps, documentType, run),
      identity: relayIdentity(deps, { runId: reference.runId, ...owner }, call),
    };
  }

  get turn(): AbortSignal {
    return this.#turn.signal;
  }

  get page(): number {
    return this.reference.page;
  }

  get signer(): BegunPage['signer'] {
    return this.begun.signer;
  }

  /** Documents have come to stand in this attempt. */
  get stood(): boolean {
    return this.documents.some(({ ended }) => ended === 'well');
  }

  /** @param counts of the page before this attempt, for the heartbeats */
  async run(counts: PageCounts): Promise<void> {
    this.call.show(() => shownOf(this, counts));
    const stop = onAbort(this.call.signal, () => this.#turn.abort(YIELD));
    try {
      await this.#rounds();
    } catch (thrown) {
      // The failures of single documents are written all the same, if the ledger answers.
      await this.#writeTroubles().catch(() => undefined);
      throw thrown;
    } finally {
      clearTimeout(this.#timer);
      stop();
    }
    await this.#writeTroubles();
  }

  /** Reads back what is signed, and settles what stands. It seals, signs and fails nothing. */
  async confirmSigned(): Promise<void> {
    const signed = this.documents.filter(({ signature }) => signature !== null);
    if (signed.length === 0) return;
    await look(this.deps, this.facts, signed);
    await place(this, authentic(this, signed));
  }

  async #rounds(): Promise<void> {
    let documents = this.documents;
    for (let round = 1; documents.length > 0 && round <= MAX_ROUNDS; round += 1) {
      const later = await this.#round(documents);
      documents = [...later.keys()];
      if (this.turn.aborted || later.size === 0) break;
      const waitMs = Math.max(...later.values()) - Date.now();
      await sleep(Math.max(0, waitMs), this.turn).catch(() => undefined);
    }
    for (const document of documents) this.#noteLeftOver(document);
  }

  /**
   * Notes a failed try for a document that is still put off when the attempt ends, so that the time limit for
   * trouble applies to it. A document that only waits for its date gets none.
   */
  #noteLeftOver(document: PageDocument): void {
    const { replaces, encryptions = 0, trouble, ended } = document;
    if (trouble !== undefined || ended || this.call.signal.aborted) return;
    if (replaces !== undefined)
      this.note(document, {
        type: 'RelayQuorumNotReached',
        message: 'relays refuse the event of an earlier run; there was no time left to seal a new one',
        final: false,
      });
    else if (encryptions > 0)
      this.note(document, {
        type: 'Unexpected',
        message: 'its state, or what other runs seal, changes faster than it can be encrypted',
        final: false,
      });
  }

  /** @returns the documents of the next round, each with the time from which it is worth it */
  async #round(documents: PageDocument[]): Promise<Map<PageDocument, number>> {
    const signed = documents.filter((document) => isSigned(document));
    const later = new Map<PageDocument, number>();
    if (this.turn.aborted) {
      // The page yields: signed documents are finished, and nothing else is looked at.
      await this.confirmSigned();
      return later;
    }
    const unsigned = documents.filter((document) => !isSigned(document));
    const { inTurn, spared } = byTurn(this.deps, signed);
    const [prepared, ready] = await Promise.all([this.#prepare(unsigned), stillRight(this, inTurn)]);
    // The turn starts here, after the first look. If a slow look could use it up, no attempt would ever seal
    // a document.
    this.#timer ??= setTimeout(() => this.#turn.abort(YIELD), this.deps.patience.yieldAfterMs);
    const toSign: [PageDocument, Prepared & { kind: 'sign' }][] = [];
    const toReuse: [PageDocument, Prepared & { kind: 'reuse' }][] = [];
    for (const [document, verdict] of prepared) {
      if (verdict.kind === 'trouble') this.note(document, verdict.trouble);
      else if (verdict.kind === 'later') later.set(document, verdict.atMs);
      else if (verdict.kind === 'reuse') toReuse.push([document, verdict]);
      else toSign.push([document, verdict]);
    }
    await this.#reuse(toReuse, later);
    const reused = toReuse.map(([document]) => document).filter(isSigned);
    // Documents with a signature do not wait for the signer.
    const placed = place(this, [...ready, ...authentic(this, reused)]);
    // Promise.all below hears the rejection, after the signer.
    placed.catch(() => undefined);
    const placements = await this.#signAndPlace(toSign, later);
    // Relays refuse the reused event for itself: a new event may be sealed, once.
    for (const document of (await Promise.all([placed, ...placements])).flat())
      later.set(document, Date.now());
    noteSpared(this, spared, later);
    return later;
  }

  /**
   * While signatures come one after the other, they are read back together, after the last one. A question
   * without an answer does not hold up what is signed: that is placed as soon as no further signature comes
   * for a moment.
   *
   * @returns the placements, which may continue when the signer is done
   */
  async #signAndPlace(
    toSign: [PageDocument, Prepared & { kind: 'sign' }][],
    later: Map<PageDocument, number>,
  ): Promise<Promise<PageDocument[]>[]> {
    const signing = new Signing(this, later).run(toSign).then(() => true);
    const notPlaced = new Set(toSign.map(([document]) => document));
    const placements: Promise<PageDocument[]>[] = [];
    let signedBefore = 0;
    for (let isOver = false; !isOver;) {
      isOver = (await within(signing, QUIET_MS)) === true;
      const signed = [...notPlaced].filter((document) => isSigned(document));
      const isQuiet = signed.length === signedBefore;
      signedBefore = isQuiet ? 0 : signed.length;
      if (signed.length === 0 || !(isOver || isQuiet)) continue;
      for (const document of signed) notPlaced.delete(document);
      const placement = place(this, signed);
      // The caller hears the rejection, after the signer.
      placement.catch(() => undefined);
      placements.push(placement);
    }
    return placements;
  }

  /** If LNbits cannot be read, each document that must be read gets that failure. The others continue. */
  async #prepare(unsigned: PageDocument[]): Promise<Map<PageDocument, Prepared>> {
    try {
      return await prepare(this.deps, this.facts, unsigned);
    } catch (thrown) {
      const trouble = asTrouble(thrown);
      return new Map(unsigned.map((document) => [document, { kind: 'trouble', trouble }]));
    }
  }

  /** Takes the events of earlier runs, in one statement. */
  async #reuse(
    toReuse: [PageDocument, Prepared & { kind: 'reuse' }][],
    later: Map<PageDocument, number>,
  ): Promise<void> {
    if (toReuse.length === 0) return;
    const seals = toReuse.map(([{ row }, { event, signature, fingerprint }]) => ({
      machineId: row.machineId,
      event,
      signature,
      stateFingerprint: fingerprint,
    }));
    const standing = await sealReused(this.deps.database, this.facts, seals);
    for (const [document] of toReuse) {
      const seal = standing.get(document.row.machineId);
      // Another run has sealed the address with a later date meanwhile.
      if (seal === undefined) later.set(document, Date.now());
      else if (seal.outcome === null) Object.assign(document, seal);
      // A person skipped it, or another attempt ended it.
      else document.ended = 'otherwise';
    }
    this.advanced ||= standing.size > 0;
  }

  /** Notes the failure that ends the work on a document in this attempt. */
  note(document: PageDocument, trouble: Trouble): void {
    document.trouble = trouble;
    delete document.waitsFor;
    if (trouble.isWait !== true) this.deps.telemetry?.tryFailed(this.facts.documentType, trouble.type);
  }

  /**
   * The same for anything that was thrown.
   *
   * @returns whether the signer is at fault
   */
  noteThrown(document: PageDocument, thrown: unknown): boolean {
    delete document.waitsFor;
    // The page yields: that is no failure of the document.
    if (thrown === YIELD || (this.call.signal.aborted && thrown === this.call.signal.reason)) return false;
    if (thrown instanceof RepublishError) {
      this.note(document, troubleOf(thrown));
      return scopeOf(thrown.type) === 'signer';
    }
    const error = ensureError(thrown);
    this.deps.onUnexpected('republishDocuments', error, { ...this.reference });
    this.note(document, { type: 'Unexpected', message: `an unexpected ${error.name}`, final: false });
    return false;
  }

  async #writeTroubles(): Promise<void> {
    const troubled = this.documents.flatMap(({ row, trouble, sent, ended }) =>
      trouble === undefined || trouble.isWait || ended
        ? []
        : [{ machineId: row.machineId, ...trouble, sent: sent !== undefined }],
    );
    if (troubled.length === 0) return;
    const { documentTimeoutMs } = this.deps.patience;
    const { holder } = this.begun;
    await noteTrouble(
      this.deps.database,
      { ...this.reference, ...this.facts, holder, documentTimeoutMs },
      troubled,
    );
  }
}
