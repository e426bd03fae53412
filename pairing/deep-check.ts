import { type Failure, RepublishError, remedyFor } from '../contract/failures';
import { forOperator } from '../rules/shell';
import { keepSignerCheck } from '../database/signer-checks';
import type { SignerRow } from '../database/signers';
import { authEvent } from '../nostr/relays/identity';
import { nameOfSigner } from '../nostr/signers/keyring';
import type { UnstoredSigner } from '../nostr/signers/operator-signers';
import { proveEncryption, proveSignature } from '../nostr/signers/prove';
import type { Signer, SignerCall } from '../nostr/signers/signer';
import { looksApproved, type SignerSpeed, speedOfTrial, type TrialTimes } from '../rules/signer-speed';
import { askCurrentSigner } from './current-signers';
import type { PairingContext, SignerFacts } from './facts';

/** The most NIP-46 requests of a deep check, with `switch_relays` and a ping after a time-out. */
export const MOST_REQUESTS = 12;

/** One trial of a deep check. */
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
  /** The failure that a run would have. */
  failure?: Failure & { remedy: string };
}

export interface DeepCheck extends SignerFacts {
  trials: Trial[];
  /** Null: it could not be measured. */
  speed: SignerSpeed | null;
}

export interface DeepCheckOptions {
  /** UTF-8 bytes of the largest state of the operator's documents. 0: there is none. */
  largestStateBytes: number;
}

/**
 * Tries every request of a run with the operator's current signer, and measures its speed, in at most
 * `MOST_REQUESTS` requests. It publishes nothing. The speed is stored for `republish plan`.
 *
 * @throws RepublishError those of `askCurrentSigner`: the signer does not even name its key
 */
export async function deepCheck(context: PairingContext, options: DeepCheckOptions): Promise<DeepCheck> {
  const { database, operatorUserId } = context;
  let trials: Trials | undefined;
  const facts = await askCurrentSigner(context, {
    window: WINDOW,
    async ask(open, pubkey, { signer, tookMs }) {
      trials = new Trials(open, pubkey, signer, tookMs);
      await trials.all(context.configuration.maxStateBytes, options.largestStateBytes);
    },
  });
  if (trials === undefined) throw new Error('the signer has named its key, and nothing was tried');
  const { speed, signer, list } = trials;
  await keepSignerCheck(database, { operatorUserId, signer: nameOfSigner(signer), speed });
  const all = [keyTrial(facts), ...list].map((trial) => withOperator(trial, operatorUserId));
  return { ...facts, trials: all, speed };
}

/** Puts the operator's id into the commands of the remedy. */
function withOperator({ failure, ...trial }: Trial, operatorUserId: string): Trial {
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

/** Requests in flight in the trial `side by side`. Half of them encrypt, half sign. */
const WINDOW = 4;
/** A signer that takes longer for three single requests is not tried with several: it would be overloaded. */
const QUICK_MS = 2_000;
const CLOCK_TOLERANCE_MS = 60_000;
/** No relay can have this name, so nobody can use the signed event to log in. */
const NO_RELAY = 'wss://relay.invalid/';

class Trials {
  readonly list: Trial[] = [];
  speed: SignerSpeed | null = null;
  /** How long each trial took. */
  readonly #tookMs = new Map<Trial['what'], number>();
  /** The bunker has sent an `auth_url`. */
  #sawPage = false;
  #clockAheadMs: number | undefined;
  readonly #call: SignerCall = {
    onApproval: () => (this.#sawPage = true),
    // `created_at` is cut to whole seconds, so on average the clock is half a second later.
    onAnswer: (createdAtS) => (this.#clockAheadMs = createdAtS * 1_000 + 500 - Date.now()),
  };

  constructor(
    private readonly open: Signer,
    private readonly pubkey: string,
    readonly signer: SignerRow | UnstoredSigner,
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

  /** @returns whether the trial succeeded */
  async #try(what: Trial['what'], success: string, ask: () => Promise<unknown>): Promise<boolean> {
    const thrown = await this.#timed(what, ask);
    if (thrown === undefined) this.#note(what, 'ok', `${success}; ${this.#shown(what)}`);
    else this.#fail(what, thrown);
    return thrown === undefined;
  }

  /** @returns the failure of the request, if it has one. Other errors are thrown */
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

  /** A failure is only a warning: documents do not need this signature, relays with NIP-42 do. */
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
        Array.from({ length: WINDOW }, (_, index) =>
          index % 2 === 0
            ? proveEncryption(this.open, this.pubkey, this.#call)
            : proveSignature(this.open, this.pubkey, this.#call),
        ),
      ),
    );
    if (thrown !== undefined) {
      this.#note(what, 'warning', `${WINDOW} at once: ${thrown.message}; a run finds out what it takes`);
      return undefined;
    }
    this.#note(what, 'ok', `${WINDOW} at once; ${this.#shown(what)}`);
    return { requests: WINDOW, tookMs: this.#tookMs.get(what) ?? 0 };
  }

  /** Encrypts a state of the allowed size, and after a failure a state of the largest size that exists. */
  async #largest(maxBytes: number, largestBytes: number): Promise<void> {
    const what = 'largest state';
    const ask = (bytes: number) => (): Promise<void> =>
      proveEncryption(this.open, this.pubkey, this.#call, { text: jsonOf(bytes) });
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
            'Give the bunker a relay that takes larger messages (its max_message_length, NIP-11), ' +
            'and pair it again with its new URI.',
        },
      ),
    );
  }

  #clock(): void {
    const aheadMs = this.#clockAheadMs;
    if (aheadMs === undefined) return this.#note('clock', 'not tried', 'it has no clock of its own');
    const aheadS = Math.round(Math.abs(aheadMs) / 1_000);
    if (Math.abs(aheadMs) <= CLOCK_TOLERANCE_MS)
      return this.#note('clock', 'ok', `${aheadS} s from this host's`);
    this.#note(
      'clock',
      'warning',
      `it is ${aheadS} s ${aheadMs > 0 ? 'ahead of' : 'behind'} this host's: ` +
        'relays may drop its answers, so set the one that is wrong',
    );
  }

  #prompting(looksSo: boolean): void {
    if (this.#sawPage)
      this.#note('prompting', 'warning', 'it asks a person on a page: a run asks twice for each document');
    else if (looksSo)
      this.#note(
        'prompting',
        'warning',
        'perhaps a person has approved there: one answer took much longer than others. ' +
          'A run asks twice for each document',
      );
    else this.#note('prompting', 'ok', 'nobody was asked');
  }

  #fail(what: Trial['what'], { type, message, remedy }: RepublishError): void {
    this.list.push({ what, result: 'failed', detail: message, failure: { type, message, remedy } });
  }

  #note(what: Trial['what'], result: Trial['result'], detail: string): void {
    this.list.push({ what, result, detail });
  }

  #shown(what: Trial['what']): string {
    return `${Math.round(this.#tookMs.get(what) ?? 0)} ms`;
  }
}

/** The size that the trial `encryption` has already proved. */
const SMALL_BYTES = 1_024;

/** JSON with as many quotes as a document has: each of them is escaped in the NIP-46 request. */
function jsonOf(bytes: number): string {
  const row = '{"denomination":20,"position":1,"count":100},';
  return row.repeat(Math.ceil(bytes / row.length)).slice(0, bytes);
}
