import { randomUUID } from 'node:crypto';
import { decrypt, encrypt, getConversationKey } from 'nostr-tools/nip44';
import { finalizeEvent, getPublicKey } from 'nostr-tools/pure';
import { RepublishError } from '../../contract/failures';
import type { SignedEvent, UnsignedEvent } from '../events';
import { looksLikeNip44 } from '../nip44';
import type { AddressRules } from '../relays/address-rules';
import { authEvent } from '../relays/identity';
import { shownRelay } from '../relays/url';
import type { Signer, SignerCall } from '../signers/signer';
import { requireSameEvent } from './same-event';
import type { Limiter } from './limiter';
import { BUNKER_KIND, BunkerLink } from './link';
import { approvalPage, parseAnswer, presentableError } from './messages';
import { Pacer } from './pacer';

export interface BunkerClientOptions {
  bunkerPubkey: string;
  relays: readonly string[];
  /** Key by which the bunker knows this client; copied, and wiped on close. */
  clientSecretKey: Uint8Array;
  /** From sending a request to its answer. */
  requestTimeoutMs: number;
  /** The same, once the bunker has asked for a person's approval (`auth_url`). */
  approvalTimeoutMs: number;
  connectTimeoutMs: number;
  /** Where the bunker's relays may be. Absent: on this machine and on the public internet. */
  addressRules?: AddressRules;
  /** Shared by all clients of this bunker in the process. */
  limiter: Limiter;
  /** Likewise: finds the rate at which the bunker's relays pass requests on. Absent: one of its own. */
  pacer?: Pacer;
  /** The page on which a person approves a request. It is a secret of the operator's: never log it. */
  onApprovalNeeded?(url: string): void;
}

/** What is asked for at pairing (NIP-46 permissions). */
const PERMISSIONS = 'nip44_encrypt,sign_event:30078,sign_event:22242';

interface Pending {
  method: string;
  params: string[];
  event: SignedEvent;
  sentOver: Set<BunkerLink>;
  /** The last refusal of each relay. A relay's word is not the bunker's: the answer may still come. */
  refusals: Map<BunkerLink, string>;
  /** Relays over which it is about to be sent again. */
  resending: Set<BunkerLink>;
  /** How often a relay has asked for patience. */
  resends: number;
  approvalUrl?: string;
  /** Requests that wait for the approval of this one. */
  onEnd: Set<() => void>;
  onApproval(url: string): void;
  timers: Set<NodeJS.Timeout>;
  deadline?: NodeJS.Timeout;
  sentAtMs: number;
  /** A relay has passed it on, by its OK or by the answer. */
  passed: boolean;
  /** Aborts when the request has ended. */
  ended: AbortController;
  resolve(result: string): void;
  reject(error: unknown): void;
}

/** First pause after a relay has asked for patience; doubles, or a queue of requests would keep the limit exhausted. */
const FIRST_RESEND_MS = 500;
const MAX_RESEND_MS = 8_000;

/**
 * NIP-46 client. A request is judged by its answer and nothing else: it is sent over every relay of the bunker, matched
 * by a random id, and ends at its deadline at the latest. Whatever else arrives is dropped and counted.
 */
export class BunkerClient implements Signer {
  readonly clientPubkey: string;
  #pacer: Pacer;
  #conversationKey: Uint8Array;
  #clientSecretKey: Uint8Array;
  #links: BunkerLink[];
  #pending = new Map<string, Pending>();
  #byEventId = new Map<string, Pending>();
  #closed = false;
  /** Messages in the bunker's name that no bunker of this protocol would send. */
  #unreadable = 0;
  #nip04 = false;

  constructor(private readonly options: BunkerClientOptions) {
    this.#clientSecretKey = Uint8Array.from(options.clientSecretKey);
    this.clientPubkey = getPublicKey(this.#clientSecretKey);
    this.#pacer = options.pacer ?? new Pacer();
    this.#conversationKey = getConversationKey(this.#clientSecretKey, options.bunkerPubkey);
    this.#links = options.relays.map(
      (url) =>
        new BunkerLink({
          url,
          connectTimeoutMs: options.connectTimeoutMs,
          addressRules: options.addressRules ?? { allowPrivate: false },
          bunkerPubkey: options.bunkerPubkey,
          clientPubkey: this.clientPubkey,
          authenticate: (relay, challenge) => this.#answerChallenge(relay, challenge),
          onAnswer: (event) => this.#receive(event),
          onReady: (link) => this.#sendWaiting(link),
          onOk: (link, id, accepted, message) => this.#noteOk(link, id, accepted, message),
        }),
    );
  }

  /** Pairs this client with the bunker. The secret works once; with a key that is paired already, leave it out. */
  async connect(secret: string | undefined, call?: SignerCall): Promise<void> {
    const params = [this.options.bunkerPubkey, secret ?? '', PERMISSIONS];
    const result = await this.#request('connect', params, call);
    if (result !== 'ack' && result !== secret) {
      throw new RepublishError(
        'SignerRefused',
        'the bunker answered connect with neither "ack" nor the secret',
      );
    }
  }

  async getPublicKey(call?: SignerCall): Promise<string> {
    const result = await this.#request('get_public_key', [], call);
    if (!/^[0-9a-f]{64}$/.test(result)) {
      throw new RepublishError(
        'SignerReturnedWrongEvent',
        'the bunker answered get_public_key with something else',
      );
    }
    return result;
  }

  async nip44Encrypt(peer: string, plaintext: string, call?: SignerCall): Promise<string> {
    const result = await this.#request('nip44_encrypt', [peer, plaintext], call);
    if (!looksLikeNip44(result, Buffer.byteLength(plaintext, 'utf8'))) {
      const what = result.includes('?iv=')
        ? 'a NIP-04 ciphertext'
        : 'something that is no NIP-44 ciphertext of it';
      throw new RepublishError('SignerReturnedWrongEvent', `the bunker answered nip44_encrypt with ${what}`);
    }
    return result;
  }

  async signEvent(event: UnsignedEvent, call?: SignerCall): Promise<SignedEvent> {
    const { kind, created_at, tags, content, pubkey } = event;
    // NIP-46's template has no pubkey, but some bunkers ignore a request without it in silence.
    const template = JSON.stringify({ kind, created_at, tags, content, pubkey });
    return requireSameEvent(event, await this.#request('sign_event', [template], call));
  }

  close(): void {
    this.#closed = true;
    for (const link of this.#links) link.close();
    for (const pending of [...this.#pending.values()]) {
      pending.reject(new RepublishError('SignerUnreachable', 'the connection to the bunker was closed'));
    }
    this.#clientSecretKey.fill(0);
    this.#conversationKey.fill(0);
  }

  async #request(method: string, params: string[], call: SignerCall = {}): Promise<string> {
    await this.#whileApprovalIsOpen(call);
    let answer: Promise<string> | undefined;
    await this.options.limiter.run(async () => {
      await this.#pacer.take(call.signal);
      // A place is given back as soon as a person is asked: other operators may share this bunker.
      await new Promise<void>((free) => {
        answer = this.#ask(method, params, call, free);
        answer.then(
          () => free(),
          () => free(),
        );
      });
    }, call.signal);
    return answer as unknown as Promise<string>;
  }

  /** While a person is asked for one request, the others wait: each would only ask the same person again. */
  async #whileApprovalIsOpen({ signal, onApproval }: SignerCall): Promise<void> {
    for (;;) {
      const open = [...this.#pending.values()].find(({ approvalUrl }) => approvalUrl !== undefined);
      if (open === undefined) return;
      onApproval?.(open.approvalUrl);
      await new Promise<void>((resolve, reject) => {
        const abort = (): void => {
          open.onEnd.delete(go);
          reject(signal?.reason as Error);
        };
        const go = (): void => {
          signal?.removeEventListener('abort', abort);
          resolve();
        };
        if (signal?.aborted) return abort();
        open.onEnd.add(go);
        signal?.addEventListener('abort', abort, { once: true });
      });
      onApproval?.(undefined);
    }
  }

  #ask(method: string, params: string[], call: SignerCall, onApprovalAsked: () => void): Promise<string> {
    const { signal } = call;
    if (this.#closed)
      throw new RepublishError('SignerUnreachable', 'the connection to the bunker was closed');
    signal?.throwIfAborted();
    // Random, because another worker may use the same client key at the same time.
    const id = randomUUID();
    const event = finalizeEvent(
      {
        kind: BUNKER_KIND,
        created_at: Math.floor(Date.now() / 1000),
        tags: [['p', this.options.bunkerPubkey]],
        content: encrypt(JSON.stringify({ id, method, params }), this.#conversationKey),
      },
      this.#clientSecretKey,
    );

    return new Promise<string>((resolve, reject) => {
      const end = (): void => {
        this.#pending.delete(id);
        this.#byEventId.delete(event.id);
        for (const timer of pending.timers) clearTimeout(timer);
        pending.ended.abort();
        signal?.removeEventListener('abort', abort);
        if (pending.approvalUrl !== undefined) call.onApproval?.(undefined);
        for (const go of pending.onEnd) go();
      };
      const abort = (): void => pending.reject(signal?.reason);
      const pending: Pending = {
        method,
        params,
        event,
        sentOver: new Set(),
        refusals: new Map(),
        resending: new Set(),
        resends: 0,
        timers: new Set(),
        sentAtMs: 0,
        passed: false,
        ended: new AbortController(),
        onEnd: new Set(),
        onApproval: (url) => {
          call.onApproval?.(url);
          onApprovalAsked();
        },
        resolve: (result) => {
          end();
          resolve(result);
        },
        reject: (error) => {
          end();
          reject(error as Error);
        },
      };
      this.#pending.set(id, pending);
      this.#byEventId.set(event.id, pending);
      this.#startDeadline(pending);
      signal?.addEventListener('abort', abort, { once: true });
      for (const link of this.#links) this.#sendOver(link, pending);
    });
  }

  /** NIP-42: the client key is who this connection is. */
  #answerChallenge(relay: string, challenge: string): SignedEvent {
    return finalizeEvent(authEvent(this.clientPubkey, relay, challenge), this.#clientSecretKey);
  }

  #sendOver(link: BunkerLink, pending: Pending): void {
    if (!link.send(pending.event)) return;
    pending.sentOver.add(link);
    pending.sentAtMs = Date.now();
  }

  /** Anew from the moment in which a relay has passed the request on: how long the relay made it wait is not the bunker's. */
  #startDeadline(pending: Pending): void {
    clearTimeout(pending.deadline);
    pending.deadline = setTimeout(() => {
      // While the relay lets others of this bunker through, this one's turn comes too.
      const isItsTurn = this.#isHeldUp(pending) && this.#pacer.idleMs < this.options.requestTimeoutMs;
      if (isItsTurn) this.#startDeadline(pending);
      else pending.reject(this.#whyNoAnswer(pending));
    }, this.options.requestTimeoutMs);
    pending.timers.add(pending.deadline);
  }

  /** Every relay that has the request refuses it for its rate. */
  #isHeldUp({ refusals, sentOver }: Pending): boolean {
    return (
      sentOver.size > 0 &&
      refusals.size === sentOver.size &&
      [...refusals.values()].every((reason) => reason.startsWith('rate-limited:'))
    );
  }

  #notePassed(pending: Pending): void {
    if (!pending.passed) this.#pacer.passed();
    pending.passed = true;
  }

  /** After a (re)connect: sends what waits. The same event again, so that a bunker that has it already can tell. */
  #sendWaiting(link: BunkerLink): void {
    for (const pending of this.#pending.values()) this.#sendOver(link, pending);
  }

  #noteOk(link: BunkerLink, id: string, accepted: boolean, message: string): void {
    const pending = this.#byEventId.get(id);
    if (pending === undefined) return;
    if (accepted) {
      if (this.#isHeldUp(pending)) this.#startDeadline(pending);
      pending.refusals.delete(link);
      this.#notePassed(pending);
      return;
    }
    pending.refusals.set(link, message);
    // auth-required: the relay has sent a challenge, or is about to, and the link answers it.
    if (!/^(rate-limited|error|auth-required):/.test(message)) return;
    // The relay has not passed the request on: the same event is sent again after a pause, within the deadline.
    // One at a time: a relay may answer a single event with any number of refusals.
    if (pending.resending.has(link)) return;
    pending.resending.add(link);
    if (this.#isHeldUp(pending)) {
      this.#pacer.refused(pending.sentAtMs);
      this.#pacer.take(pending.ended.signal, true).then(
        () => {
          pending.resending.delete(link);
          this.#sendOver(link, pending);
        },
        () => undefined, // it has ended meanwhile
      );
      return;
    }
    const pauseMs =
      Math.min(FIRST_RESEND_MS * 2 ** pending.resends, MAX_RESEND_MS) * (0.75 + Math.random() / 2);
    pending.resends += 1;
    const timer = setTimeout(() => {
      pending.timers.delete(timer);
      pending.resending.delete(link);
      this.#sendOver(link, pending);
    }, pauseMs);
    pending.timers.add(timer);
  }

  #receive(event: SignedEvent): void {
    // Nobody waits: what a relay has kept from earlier is not worth decrypting.
    if (this.#pending.size === 0) return;
    if (event.kind !== BUNKER_KIND || event.pubkey !== this.options.bunkerPubkey) return;
    let text: string;
    try {
      // The MAC proves that the bunker wrote this, so the signature around it need not be checked.
      text = decrypt(event.content, this.#conversationKey);
    } catch {
      this.#unreadable += 1;
      this.#nip04 ||= event.content.includes('?iv=');
      return;
    }
    const answer = parseAnswer(text);
    if (answer === undefined) {
      this.#unreadable += 1;
      return;
    }
    const pending = this.#pending.get(answer.id);
    if (pending === undefined) return;
    this.#notePassed(pending);
    if (answer.result === 'auth_url') return this.#waitForApproval(pending, answer.error);
    if (answer.error !== '') {
      const reason = presentableError(answer.error);
      return pending.reject(
        new RepublishError('SignerRefused', `the bunker refused ${pending.method}: ${reason}`),
      );
    }
    if (answer.result === '') {
      return pending.reject(
        new RepublishError(
          'SignerReturnedWrongEvent',
          `the bunker gave an empty answer to ${pending.method}`,
        ),
      );
    }
    pending.resolve(answer.result);
  }

  /** NIP-46: a person has to approve on a page; the answer comes later, under the same id, or never. */
  #waitForApproval(pending: Pending, url: string): void {
    const page = approvalPage(url);
    if (pending.approvalUrl !== undefined || page === undefined) return;
    pending.approvalUrl = page;
    for (const timer of pending.timers) clearTimeout(timer);
    pending.timers.clear();
    pending.timers.add(
      setTimeout(() => pending.reject(this.#whyNoAnswer(pending)), this.options.approvalTimeoutMs),
    );
    pending.onApproval(page);
    this.options.onApprovalNeeded?.(page);
  }

  #whyNoAnswer(pending: Pending): RepublishError {
    const { method } = pending;
    if (pending.approvalUrl !== undefined) {
      return new RepublishError(
        'SignerApprovalPending',
        `the bunker asked a person to approve ${method}, and nobody did within ${this.options.approvalTimeoutMs} ms`,
      );
    }
    if (pending.sentOver.size === 0) {
      const troubles = this.#links.map((link) => `${shownRelay(link.url)}: ${link.trouble}`).join('; ');
      return new RepublishError(
        'SignerUnreachable',
        `no relay of the bunker could be reached for ${method} (${troubles})`,
      );
    }
    if (pending.refusals.size === pending.sentOver.size) {
      const refusals = [...pending.refusals]
        .map(([link, reason]) => `${shownRelay(link.url)}: ${reason}`)
        .join('; ');
      return new RepublishError('SignerUnreachable', `the bunker's relays refused ${method} (${refusals})`);
    }
    const hint = this.#nip04
      ? '; it answers with NIP-04, which is no longer allowed: update the bunker'
      : this.#unreadable > 0
        ? `; ${this.#unreadable} unreadable messages came in its name`
        : '';
    return new RepublishError(
      'SignerTimeout',
      `the bunker did not answer ${method} within ${this.options.requestTimeoutMs} ms${hint}`,
    );
  }
}
