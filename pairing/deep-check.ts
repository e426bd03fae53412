import { type Failure, RepublishError, remedyFor } from '../contract/failures';
import { forOperator } from '../rules/shell';
import { keepSignerCheck } from '../database/signer-checks';
import type { SignerRow } from '../database/signers';
import { authEvent } from '../nostr/relays/identity';
import { nameOfSigner } from '../nostr/signers/keyring';
import type { LnbitsSigner } from '../nostr/signers/lnbits';
import { proveEncryption, proveSignature } from '../nostr/signers/prove';
import type { Signer, SignerCall } from '../nostr/signers/signer';
import { looksApproved, type SignerSpeed, speedOfTrial, type TrialTimes } from '../rules/signer-speed';
import { askCurrentSigner } from './current-signers';
import type { SignerContext, SignerFacts } from './facts';

/** What the signer is asked at most, `switch_relays` and a ping after a time-out among it. */
export const MOST_REQUESTS = 12;

/** What was tried of a signer, and what came of it. */
export interface Trial {
  what:
    | 'key'
    | 'encryption'
    | 'signature of a document'
    | 'signature for a relay'
    | 'side by side'
    | 'largest state'
    | 'clock'
    | 'prompting';
  result: 'ok' | 'warning' | 'failed' | 'not tried';
  /** One sentence for a person. */
  detail: string;
  /** What a run would fail with. */
  failure?: Failure & { remedy: string };
}

export interface DeepCheck extends SignerFacts {
  trials: Trial[];
  /** Null where it could not be measured. */
  speed: SignerSpeed | null;
}

export interface DeepCheckOptions {
  /** The largest state of the operator's documents, UTF-8 bytes; 0: there is none. */
  largestStateBytes: number;
}

/**
 * Tries all that a run would ask of the operator's current signer, and how quick it is, with at most
 * `MOST_REQUESTS` requests. Nothing of it is published. The speed is kept for `plan`.
 *
 * @throws RepublishError as askCurrentSigner does, where it does not even name its key
 */
export async function deepCheck(context: SignerContext, options: DeepCheckOptions): Promise<DeepCheck> {
  const { database, operatorUserId } = context;
  let trying: Trying | undefined;
  const facts = await askCurrentSigner(context, {
    atOnce: TOGETHER,
    async ask(open, pubkey, { signer, tookMs }) {
      trying = new Trying(open, pubkey, signer, tookMs);
      await trying.all(context.configuration.maxStateBytes, options.largestStateBytes);
    },
  });
  if (trying === undefined) throw new Error('a signer that has named its key is tried');
  const { speed, trials, signer } = trying;
  await keepSignerCheck(database, { operatorUserId, signer: nameOfSigner(signer), speed });
  const all = [keyTrial(facts), ...trials].map((trial) => ofOperator(trial, operatorUserId));
  return { ...facts, trials: all, speed };
}

function ofOperator({ failure, ...trial }: Trial, operatorUserId: string): Trial {
  if (failure === undefined) return trial;
  return { ...trial, failure: { ...failure, remedy: forOperator(failure.remedy, operatorUserId) } };
}

function keyTrial({ accountPubkey, matchesAccount, pubkey }: SignerFacts): Trial {
  if (matchesAccount) return { what: 'key', result: 'ok', detail: "it is the account's" };
  const message = `the signer signs as ${pubkey}, the account's public key is ${accountPubkey ?? 'not set'}`;
  const failure = {
    type: 'SignerPubkeyMismatch' as const,
    message,
    remedy: remedyFor('SignerPubkeyMismatch'),
  };
  return { what: 'key', result: 'failed', detail: message, failure };
}

/** Requests side by side; half of them encrypt, half sign. */
const TOGETHER = 4;
/** As long as three requests may take, or more at once would not be a kindness. */
const QUICK_MS = 2_000;
const CLOCK_MS = 60_000;
/** No relay has this name, so that nobody could log in with it. */
const NO_RELAY = 'wss://relay.invalid/';

class Trying {
  readonly trials: Trial[] = [];
  speed: SignerSpeed | null = null;
  /** By the trial, how long a request took alone. */
  readonly #tookMs = new Map<Trial['what'], number>();
  #sawPage = false;
  #clockAheadMs: number | undefined;
  readonly #call: SignerCall = {
    onApproval: () => (this.#sawPage = true),
    // Cut to the second: half of one more is nearer to the truth.
    onAnswer: (createdAtS) => (this.#clockAheadMs = createdAtS * 1_000 + 500 - Date.now()),
  };

  constructor(
    private readonly open: Signer,
    private readonly pubkey: string,
    readonly signer: SignerRow | LnbitsSigner,
    keyTookMs: number,
  ) {
    this.#tookMs.set('key', keyTookMs);
  }

  async all(maxStateBytes: number, largestStateBytes: number): Promise<void> {
    const encrypts = await this.#try('encryption', 'what it encrypts can be read, to the byte', () =>
      proveEncryption(this.open, this.pubkey, this.#call),
    );
    const signs = await this.#try('signature of a document', 'it signs kind 30078 and changes nothing', () =>
      proveSignature(this.open, this.pubkey, this.#call),
    );
    await this.#authentication();
    const asksAPerson = this.#sawPage || looksApproved([...this.#tookMs.values()]);
    const together = encrypts && signs && !asksAPerson ? await this.#sideBySide() : undefined;
    if (encrypts) await this.#largest(maxStateBytes, largestStateBytes);
    this.#clock();
    this.#prompting(asksAPerson);
    if (encrypts && signs && !asksAPerson && !this.#sawPage)
      this.speed = speedOfTrial({
        encryptMs: this.#tookMs.get('encryption') ?? 0,
        signMs: this.#tookMs.get('signature of a document') ?? 0,
        together,
      });
  }

  /** @returns whether it went well */
  async #try(what: Trial['what'], well: string, ask: () => Promise<unknown>): Promise<boolean> {
    const thrown = await this.#timed(what, ask);
    if (thrown === undefined) this.#note(what, 'ok', `${well}; ${this.#shown(what)}`);
    else this.#fail(what, thrown);
    return thrown === undefined;
  }

  /** @returns what was thrown, if it has a name */
  async #timed(what: Trial['what'], ask: () => Promise<unknown>): Promise<RepublishError | undefined> {
    const beganMs = performance.now();
    try {
      await ask();
      this.#tookMs.set(what, performance.now() - beganMs);
      return undefined;
    } catch (thrown) {
      if (thrown instanceof RepublishError) return thrown;
      throw thrown;
    }
  }

  /** Documents do not need it; relays that demand to know who publishes do. */
  async #authentication(): Promise<void> {
    const what = 'signature for a relay';
    if (this.signer.kind === 'lnbits-bunker')
      return this.#note(what, 'not tried', "LNbits' own client is never asked for one (NIP-42)");
    const thrown = await this.#timed(what, () =>
      this.open.signEvent(authEvent(this.pubkey, NO_RELAY, 'republish signer check'), this.#call),
    );
    if (thrown === undefined) return this.#note(what, 'ok', `it signs kind 22242; ${this.#shown(what)}`);
    this.#note(
      what,
      'warning',
      `${thrown.message}: only relays that demand authentication (NIP-42) cannot be used with it`,
    );
  }

  async #sideBySide(): Promise<TrialTimes['together']> {
    const what = 'side by side';
    const alone = ['encryption', 'signature of a document', 'signature for a relay'] as const;
    const threeMs = alone.reduce(
      (sum, each) => sum + (this.#tookMs.get(each) ?? this.#tookMs.get('key') ?? 0),
      0,
    );
    if (threeMs >= QUICK_MS) {
      this.#note(
        what,
        'not tried',
        `three requests took ${Math.round(threeMs)} ms: it is asked for one at a time`,
      );
      return undefined;
    }
    const thrown = await this.#timed(what, () =>
      Promise.all(
        Array.from({ length: TOGETHER }, (_, index) =>
          index % 2 === 0
            ? proveEncryption(this.open, this.pubkey, this.#call)
            : proveSignature(this.open, this.pubkey, this.#call),
        ),
      ),
    );
    if (thrown !== undefined) {
      this.#note(what, 'warning', `${TOGETHER} at once: ${thrown.message}; a run finds out what it takes`);
      return undefined;
    }
    this.#note(what, 'ok', `${TOGETHER} at once; ${this.#shown(what)}`);
    return { requests: TOGETHER, tookMs: this.#tookMs.get(what) ?? 0 };
  }

  /**
   * A state of the largest size that is allowed; where that does not get through, one as large as there is.
   */
  async #largest(maxBytes: number, largestBytes: number): Promise<void> {
    const what = 'largest state';
    const ask = (bytes: number) => (): Promise<void> =>
      proveEncryption(this.open, this.pubkey, this.#call, jsonOf(bytes));
    const thrown = await this.#timed(what, ask(maxBytes));
    if (thrown === undefined)
      return this.#note(what, 'ok', `${maxBytes} bytes get through; ${this.#shown(what)}`);
    const refused = `${maxBytes} bytes do not get through (${thrown.message})`;
    if (largestBytes <= SMALL_BYTES)
      return this.#note(what, 'warning', `${refused}; no document is so large now`);
    const again = await this.#timed(what, ask(largestBytes));
    if (again === undefined)
      return this.#note(
        what,
        'warning',
        `${refused}; the largest document of today, ${largestBytes} bytes, does`,
      );
    this.#fail(
      what,
      new RepublishError(
        'StateTooLarge',
        `${refused}, nor do the ${largestBytes} bytes of the largest document of today`,
        {
          remedy:
            'Give the bunker a relay that takes larger messages (its max_message_length, NIP-11), and pair it again with its new URI.',
        },
      ),
    );
  }

  #clock(): void {
    const aheadMs = this.#clockAheadMs;
    if (aheadMs === undefined) return this.#note('clock', 'not tried', 'it has no clock of its own');
    const aheadS = Math.round(Math.abs(aheadMs) / 1_000);
    if (Math.abs(aheadMs) <= CLOCK_MS) return this.#note('clock', 'ok', `${aheadS} s from this host's`);
    this.#note(
      'clock',
      'warning',
      `it is ${aheadS} s ${aheadMs > 0 ? 'ahead of' : 'behind'} this host's: relays may drop its answers, so set the one that is wrong`,
    );
  }

  #prompting(looksSo: boolean): void {
    if (this.#sawPage)
      this.#note('prompting', 'warning', 'it asks a person on a page: a run asks twice for each document');
    else if (looksSo)
      this.#note(
        'prompting',
        'warning',
        'perhaps a person has approved there: one answer took much longer than others. A run asks twice for each document',
      );
    else this.#note('prompting', 'ok', 'nobody was asked');
  }

  #fail(what: Trial['what'], { type, message, remedy }: RepublishError): void {
    this.trials.push({ what, result: 'failed', detail: message, failure: { type, message, remedy } });
  }

  #note(what: Trial['what'], result: Trial['result'], detail: string): void {
    this.trials.push({ what, result, detail });
  }

  #shown(what: Trial['what']): string {
    return `${Math.round(this.#tookMs.get(what) ?? 0)} ms`;
  }
}

/** What the first trial has shown to get through. */
const SMALL_BYTES = 1_024;

/** JSON as documents have it: each quote is escaped on its way. */
function jsonOf(bytes: number): string {
  const row = '{"denomination":20,"position":1,"count":100},';
  return row.repeat(Math.ceil(bytes / row.length)).slice(0, bytes);
}
