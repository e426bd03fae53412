import { onTimeout, unlessAborted } from '../../async/wait';
import { RepublishError } from '../../contract/failures';
import type { OpenedSigner, SignerCall } from '../signers/signer';
import type { BunkerClient } from './client';
import { isRefusal, isUselessAnswer } from './messages';

/** A ping needs no person and no key. */
const PING_MS = 3_000;
/** How long the result of a ping is reused. It is only for a message to people. */
const PINGED_MS = 60_000;

const ALIVE = 'it may never have been granted this, wait for a person, or be slow';
const FORGOTTEN =
  'it is away, or has forgotten this client, as some do at a restart: ' +
  'then pair it again with a new URI (republish signer add <operator> --bunker)';

/**
 * Wraps a bunker's client so that its time-outs say what the silence may mean. A bunker that answers other
 * requests, or a ping, is there: some bunkers say nothing to a request that was never granted or waits for a
 * person. A bunker that does not answer a ping is away, or no longer knows this client.
 *
 * @param requestTimeoutMs after which the client gives a request up
 */
export function tellingSilence(client: BunkerClient, requestTimeoutMs: number): OpenedSigner {
  const silence = new Silence(client, requestTimeoutMs);
  return {
    getPublicKey: (call) => silence.told(call, client.getPublicKey(call)),
    nip44Encrypt: (peer, plaintext, call) => silence.told(call, client.nip44Encrypt(peer, plaintext, call)),
    signEvent: (event, call) => silence.told(call, client.signEvent(event, call)),
    switchRelays: (call) => client.switchRelays(call),
    get isAwaited() {
      return client.isAwaited;
    },
    close: () => client.close(),
  };
}

class Silence {
  #answeredAtMs = -Infinity;
  #pinged: { atMs: number; isAnswered: Promise<boolean> } | undefined;

  constructor(
    private readonly client: BunkerClient,
    private readonly requestTimeoutMs: number,
  ) {}

  async told<T>(call: SignerCall | undefined, asked: Promise<T>): Promise<T> {
    const askedAtMs = performance.now();
    try {
      const answer = await asked;
      this.#answeredAtMs = performance.now();
      return answer;
    } catch (thrown) {
      if (!(thrown instanceof RepublishError)) throw thrown;
      if (isRefusal(thrown)) this.#answeredAtMs = performance.now();
      // Its messages cannot be read. The message says so already, and a ping could not be read either.
      if (thrown.type !== 'SignerTimeout' || this.client.isUnreadable) throw thrown;
      const meaning = await this.#meaning(askedAtMs, call?.signal);
      throw meaning === undefined ? thrown : new RepublishError(thrown.type, `${thrown.message}; ${meaning}`);
    }
  }

  /** Undefined where the caller has left. */
  async #meaning(askedAtMs: number, signal: AbortSignal | undefined): Promise<string | undefined> {
    if (this.#answeredAtMs > Math.max(askedAtMs, performance.now() - this.requestTimeoutMs))
      return `it answers other requests: ${ALIVE}`;
    const isAnswered = await unlessAborted(this.#ping(), signal).catch(() => undefined);
    if (isAnswered === undefined) return undefined;
    return isAnswered ? `it answers a ping: ${ALIVE}` : `nor does it answer a ping: ${FORGOTTEN}`;
  }

  /** One ping for all that wait now, and for those of the next minute. */
  #ping(): Promise<boolean> {
    const nowMs = performance.now();
    if (this.#pinged === undefined || nowMs - this.#pinged.atMs > PINGED_MS)
      this.#pinged = { atMs: nowMs, isAnswered: this.#askForPong() };
    return this.#pinged.isAnswered;
  }

  async #askForPong(): Promise<boolean> {
    const late = new AbortController();
    const stop = onTimeout(Math.min(PING_MS, this.requestTimeoutMs), () => late.abort());
    try {
      await this.client.ping({ signal: late.signal });
      return true;
    } catch (thrown) {
      // Any answer means that the bunker is there.
      return thrown instanceof RepublishError && isUselessAnswer(thrown);
    } finally {
      stop();
    }
  }
}
