import { RepublishError } from '../../contract/failures';
import { PACKAGE } from '../../contract/names';
import type { RequestKind } from '../../rules/window';
import type { SignedEvent, UnsignedEvent } from '../events';
import { looksLikeNip44 } from '../nip44';
import { AUTH_KIND } from '../relays/identity';
import type { Signer, SignerCall } from '../signers/signer';
import type { BunkerClientOptions } from './client-options';
import { Exchange } from './exchange';
import { requireSameEvent } from './same-event';

export type { BunkerClientOptions };

/** The permissions that a pairing asks for (NIP-46). */
export const PERMISSIONS = 'nip44_encrypt,sign_event:30078,sign_event:22242';
/** All that documents need, unless a relay demands a login (NIP-42). */
export const PERMISSIONS_WITHOUT_AUTH = 'nip44_encrypt,sign_event:30078';

/** NIP-46 client: the requests that a bunker gets, and the checks of each answer. */
export class BunkerClient implements Signer {
  readonly clientPubkey: string;
  readonly #exchange: Exchange;

  constructor(private readonly options: BunkerClientOptions) {
    this.#exchange = new Exchange(options);
    this.clientPubkey = this.#exchange.clientPubkey;
  }

  /** An answer that counts may still come, or has come and nobody has taken it yet. */
  get isAwaited(): boolean {
    return this.#exchange.isAwaited;
  }

  /** Messages came in the bunker's name that could not be read. */
  get isUnreadable(): boolean {
    return this.#exchange.isUnreadable;
  }

  /**
   * Resolves when one of the bunker's relays can carry requests. @throws RepublishError SignerUnreachable as
   * soon as all of them have failed
   */
  untilReachable(): Promise<void> {
    return this.#exchange.untilReachable();
  }

  /**
   * Pairs this client with the bunker. The secret works once; leave it out for a client key that is paired
   * already.
   */
  async connect(secret: string | undefined, permissions = PERMISSIONS, call?: SignerCall): Promise<void> {
    // The name that the bunker may show for this client.
    const metadata = JSON.stringify({ name: PACKAGE });
    const params = [this.options.bunkerPubkey, secret ?? '', permissions, metadata];
    const result = await this.#exchange.request('connect', params, call);
    if (result !== 'ack' && result !== secret) {
      throw new RepublishError(
        'SignerRefused',
        'the bunker answered connect with neither "ack" nor the secret',
      );
    }
  }

  async getPublicKey(call?: SignerCall): Promise<string> {
    const result = (await this.#exchange.request('get_public_key', [], call)).toLowerCase();
    if (!/^[0-9a-f]{64}$/.test(result)) {
      throw new RepublishError(
        'SignerReturnedWrongEvent',
        'the bunker answered get_public_key with something else',
      );
    }
    return result;
  }

  async nip44Encrypt(peer: string, plaintext: string, call?: SignerCall): Promise<string> {
    const result = await this.#exchange.request('nip44_encrypt', [peer, plaintext], call, 'encryption');
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
    // The template of NIP-46 has no pubkey, but some bunkers ignore a request without it, in silence.
    const template = JSON.stringify({ kind, created_at, tags, content, pubkey });
    // A login event (NIP-42) tells nothing about the speed of documents: a bunker may treat it differently.
    const work: RequestKind | undefined = kind === AUTH_KIND ? undefined : 'signature';
    return requireSameEvent(event, await this.#exchange.request('sign_event', [template], call, work));
  }

  /**
   * Asks the bunker for its relays (NIP-46 `switch_relays`) and moves there. Call it once for each client,
   * next to other requests: a bunker that does not know the method must not hold them up.
   *
   * @returns the new relays, where they differ: the next client should begin there
   */
  async switchRelays(call: SignerCall = {}): Promise<string[] | undefined> {
    const answer = await this.#exchange.askAtOnce('switch_relays', call).catch(() => 'null');
    return this.#exchange.moveTo(answer);
  }

  /**
   * Rejects unless the bunker answers. It waits for no slot and no pace: the caller wants to know whether
   * the bunker is there.
   */
  async ping(call: SignerCall): Promise<void> {
    await this.#exchange.askAtOnce('ping', call);
  }

  close(): void {
    this.#exchange.close();
  }
}
