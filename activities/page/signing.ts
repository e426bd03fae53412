import { RepublishError, scopeOf, traitsOf } from '../../contract/failures';
import { onAbort } from '../../async/wait';
import { keepSignature, sealDocument } from '../../database/ledger/facts';
import type { DocumentKey, SealedEvent } from '../../database/ledger/documents';
import { isProved } from '../../database/ledger/proofs';
import { DOCUMENT_KIND } from '../../documents/document-type';
import { eventId } from '../../nostr/events';
import { isUselessAnswer } from '../../nostr/bunker/messages';
import { type CurrentSigner, nameOfSigner } from '../../nostr/signers/keyring';
import type { Signer, SignerCall } from '../../nostr/signers/signer';
import { inTurn } from '../../rules/turns';
import { tooLargeForBunker } from '../steps/relay-objections';
import type { PageAttempt } from './attempt';
import { isSigned, type PageDocument, type Trouble, troubleOf, YIELD } from './document';
import { prepare, type Prepared } from './prepare';
import type { ReadDocument } from './read-page';

type ToSign = Prepared & { kind: 'sign' };

/** Most encryptions of one document in an attempt: its state may change while the signer encrypts. */
const MAX_ENCRYPTIONS = 5;

/**
 * Seals and signs documents, some at the same time. Each step is a fact in the ledger before the next one. So
 * the event id is known before the signer is asked for a signature, and the signer signs what the ledger
 * holds.
 */
export class Signing {
  #signer: CurrentSigner | undefined;
  /** Aborts when no document may wait for the signer any longer. */
  readonly #turn = new AbortController();
  #answered = false;
  #trouble: RepublishError | undefined;

  constructor(
    private readonly page: PageAttempt,
    /** Documents that must be looked at again, each with the time. */
    private readonly later: Map<PageDocument, number>,
  ) {}

  async run(toSign: [PageDocument, ToSign][]): Promise<void> {
    if (toSign.length === 0 || !(await this.#haveSigner(toSign))) return;
    const { deps, turn } = this.page;
    const stop = onAbort(turn, () => this.#turn.abort(turn.reason));
    // A bunker gets one request at a time until it has encrypted and signed once (rules/window.ts).
    const queue = inTurn(toSign, ([{ row }]) => row.tries).values();
    const lane = async (): Promise<void> => {
      for (const [document, prepared] of queue) {
        if (this.#turn.signal.aborted) return;
        await this.#one(document, prepared);
      }
    };
    try {
      await Promise.all(Array.from({ length: Math.min(deps.documentsAtOnce, toSign.length) }, lane));
    } finally {
      stop();
    }
    this.#shareTrouble(toSign);
  }

  /** An unproven signer gets no request. Without a usable signer every document gets that failure. */
  async #haveSigner(toSign: [PageDocument, ToSign][]): Promise<boolean> {
    const { deps, facts, signer } = this.page;
    try {
      const current = await deps.operatorSigners.current(facts, signer);
      if (!(await isProved(deps.database, facts.runId, nameOfSigner(current)))) {
        this.page.unproven = true;
        return false;
      }
      this.#signer = current;
      return true;
    } catch (thrown) {
      for (const [document] of toSign) this.page.noteThrown(document, thrown);
      return false;
    }
  }

  async #one(document: PageDocument, prepared: ToSign): Promise<void> {
    try {
      if (await this.#sealAndSign(document, prepared)) this.#answered = true;
    } catch (thrown) {
      if (this.page.noteThrown(document, thrown) && thrown instanceof RepublishError) {
        if (document.trouble !== undefined) document.trouble.isAnswered = isUselessAnswer(thrown);
        this.#judge(document, thrown);
      }
    } finally {
      delete document.waitsFor;
    }
  }

  /**
   * Stops asking if every document would have the same failure. A final failure is about its document, unless
   * its type has the trait `affectsAll`. A passing one is about its document while no other document has
   * failed a try.
   */
  #judge(document: PageDocument, trouble: RepublishError): void {
    // If the signer has signed in this attempt, a failure with `affectsAll` is about this document only.
    const isOfAll = traitsOf(trouble.type).affectsAll && !this.#answered;
    if (document.trouble?.final === true && !isOfAll) return;
    const othersMetIt = this.page.documents.some(
      (other) => other !== document && (other.trouble !== undefined || other.row.tries > 0),
    );
    // A person is not asked once for each document.
    if (isOfAll || traitsOf(trouble.type).needsPerson || (!this.#answered && othersMetIt))
      this.#trouble = trouble;
    // A busy signer is not asked for the next document immediately.
    if (this.#trouble !== undefined || trouble.type === 'SignerBusy') this.#turn.abort(YIELD);
  }

  /**
   * Gives the signer's failure to each document that was not begun because of it: it counts as a failed try.
   * If the signer is only busy, they wait for their turn, and have had no try.
   */
  #shareTrouble(toSign: [PageDocument, ToSign][]): void {
    const trouble = this.#trouble;
    if (trouble === undefined || scopeOf(trouble.type) !== 'signer') return;
    for (const [document] of toSign) {
      if (isSigned(document) || document.ended || document.trouble !== undefined) continue;
      if (trouble.type === 'SignerBusy') this.page.note(document, waitingForTurn(trouble));
      else this.page.noteThrown(document, trouble);
    }
  }

  /** @returns whether the document is signed; otherwise another attempt or round takes it */
  async #sealAndSign(document: PageDocument, prepared: ToSign): Promise<boolean> {
    const { deps } = this.page;
    const event = await this.#sealed(document, prepared);
    if (event === undefined) return false;
    // Another attempt signed it meanwhile, or the event is an earlier run's.
    if (document.signature !== null) return true;
    const { sig } = await this.#ask(document, 'signature', (signer, call) => signer.signEvent(event, call));
    deps.failpoint('after-sign');
    const kept = await keepSignature(deps.database, this.#keyOf(document), event.id, sig);
    // Another attempt ended it, or the run was closed. The ledger has the outcome.
    if (kept === undefined || kept.signature === null || kept.outcome !== null) {
      document.ended = 'otherwise';
      return true;
    }
    document.signature = kept.signature;
    this.page.advanced = true;
    this.#send(document, event, kept.signature);
    return true;
  }

  #send(document: PageDocument, event: SealedEvent, sig: string): void {
    const { deps, facts } = this.page;
    document.waitsFor = 'relays';
    document.sent = deps.publisher.send({ ...event, sig }, { seen: document.seen, identity: facts.identity });
  }

  /** The event in the ledger, sealed now if there was none. Undefined: look at it again. */
  async #sealed(
    document: PageDocument,
    { read: first, createdAtS: date }: ToSign,
  ): Promise<SealedEvent | undefined> {
    const { deps, facts } = this.page;
    if (document.event !== null && document.replaces === undefined) return document.event;
    let read = first;
    let createdAtS = date;
    for (let encryption = 1; encryption <= MAX_ENCRYPTIONS; encryption += 1) {
      const { plaintext, fingerprint } = read;
      const tooLarge = await tooLargeForBunker(deps, this.#signer, read);
      if (tooLarge !== undefined) throw new RepublishError('StateTooLarge', tooLarge);
      const atmPubkey = document.row.atmPubkey ?? '';
      const content = await this.#ask(document, 'encryption', (signer, call) =>
        // All signatures go first, so that documents end before others begin. Then the pages in the order in
        // which they began: pages end one after the other, and other pages keep the bunker busy during the
        // read-back.
        signer.nip44Encrypt(atmPubkey, plaintext, { ...call, rank: this.page.beganAtMs }),
      );
      document.encryptions = (document.encryptions ?? 0) + 1;
      deps.failpoint('after-encrypt');
      // In both directions: somebody may have set the clock meanwhile.
      if (Math.abs(Date.now() - read.readAtMs) > deps.patience.freshMs) {
        const again = await this.#readAgain(document);
        if (again === undefined) return undefined;
        ({ read, createdAtS } = again);
        if (read.fingerprint !== fingerprint) continue;
      }
      const unsigned = {
        pubkey: facts.operatorPubkey,
        kind: DOCUMENT_KIND,
        created_at: createdAtS,
        tags: read.tags,
        content,
      };
      return this.#seal(document, { id: eventId(unsigned), ...unsigned }, read);
    }
    this.later.set(document, Date.now());
    return undefined;
  }

  /** Looks and reads again: an old read is no ground for a date. */
  async #readAgain(document: PageDocument): Promise<ToSign | undefined> {
    const { deps, facts } = this.page;
    const again = (await prepare(deps, facts, [document])).get(document);
    if (again?.kind === 'sign') return again;
    if (again?.kind === 'trouble') this.page.note(document, again.trouble);
    else this.later.set(document, again?.kind === 'later' ? again.atMs : Date.now());
    return undefined;
  }

  async #seal(
    document: PageDocument,
    event: SealedEvent,
    { fingerprint }: ReadDocument,
  ): Promise<SealedEvent | undefined> {
    const { deps } = this.page;
    const { replaces } = document;
    const seal = {
      event,
      stateFingerprint: fingerprint,
      signature: null,
      atmPubkey: document.row.atmPubkey ?? '',
      ...(replaces === undefined ? {} : { replaces }),
    };
    const standing = await sealDocument(deps.database, this.#keyOf(document), seal);
    // Another run has sealed the address with a later date meanwhile. Ours must not be dated before it.
    if (standing === undefined) {
      this.later.set(document, Date.now());
      return undefined;
    }
    deps.failpoint('after-seal');
    this.page.advanced = true;
    delete document.replaces;
    Object.assign(document, {
      event: standing.event,
      signature: standing.signature,
      reused: standing.reused,
      resealed: document.resealed || replaces !== undefined,
    });
    if (standing.outcome === null) return standing.event;
    document.ended = 'otherwise';
    return undefined;
  }

  #keyOf({ row }: PageDocument): DocumentKey {
    const { runId, documentType } = this.page.facts;
    return { runId, documentType, machineId: row.machineId };
  }

  /**
   * Asks the signer. A repeated question has the same id, so an answer that was given before is used again.
   */
  #ask<T>(
    document: PageDocument,
    what: 'encryption' | 'signature',
    ask: (signer: Signer, call: SignerCall) => Promise<T>,
  ): Promise<T> {
    const { deps, call, facts } = this.page;
    document.waitsFor = what;
    const asking: SignerCall = {
      question: { runId: facts.runId, n: document.row.question },
      signal: call.signal,
      turn: this.#turn.signal,
      onApproval: call.approvalListener(),
      onAsked: (agoMs) => {
        if (agoMs >= LONG_MS)
          document.waitsFor =
            `${what}, asked ${Math.round(agoMs / 1_000)} s before: ` +
            'perhaps a person has to approve it in the bunker';
      },
    };
    return deps.keyring.use(this.#signer as CurrentSigner, (signer) => ask(signer, asking));
  }
}

/** The document was not asked for: it waits until a busy signer has time. */
function waitingForTurn(busy: RepublishError): Trouble {
  return { ...troubleOf(busy), isWait: true, message: `waits for its turn at the signer: ${busy.message}` };
}

/** A request that was sent longer ago than this was given up by an earlier caller. */
const LONG_MS = 1_000;
