import { getPublicKey } from 'nostr-tools/pure';
import type { SignedEvent, UnsignedEvent } from '../events';
import { decrypt, encrypt, getConversationKey } from '../nip44';
import { signWith } from '../schnorr';
import { BUNKER_KIND } from './link';
import { type BunkerAnswer, parseAnswer } from './messages';

/** The encrypted messages between one client key and one bunker. It holds the key, and wipes it. */
export class Envelopes {
  readonly clientPubkey: string;
  readonly #clientSecretKey: Uint8Array;
  readonly #conversationKey: Uint8Array;
  /** Messages in the bunker's name that no NIP-46 bunker would send. */
  #unreadable = 0;
  #nip04 = false;

  constructor(
    clientSecretKey: Uint8Array,
    private readonly bunkerPubkey: string,
  ) {
    this.#clientSecretKey = Uint8Array.from(clientSecretKey);
    this.clientPubkey = getPublicKey(this.#clientSecretKey);
    this.#conversationKey = getConversationKey(this.#clientSecretKey, bunkerPubkey);
  }

  get unreadable(): number {
    return this.#unreadable;
  }

  /** Why the bunker's answers may be lost on us, by the messages that came. */
  get trouble(): string | undefined {
    if (this.#nip04) return 'it answers with NIP-04, which is no longer allowed: update the bunker';
    if (this.#unreadable > 0) return `${this.#unreadable} unreadable messages came in its name`;
    return undefined;
  }

  sign(event: UnsignedEvent): SignedEvent {
    return signWith(this.#clientSecretKey, event);
  }

  request(text: string): SignedEvent {
    return this.#wrap(encrypt(text, this.#conversationKey), nowS());
  }

  /** The same request in another event, dated now. Not in the same second: that would be the same event. */
  again({ content, created_at }: SignedEvent): SignedEvent {
    return this.#wrap(content, Math.max(nowS(), created_at + 1));
  }

  isFromBunker({ kind, pubkey }: SignedEvent): boolean {
    return kind === BUNKER_KIND && pubkey === this.bunkerPubkey;
  }

  /** Reads a message. Undefined where it cannot be read; that is counted. */
  open({ content }: SignedEvent): BunkerAnswer | undefined {
    let answer: BunkerAnswer | undefined;
    try {
      // The MAC proves that the bunker wrote this, so the signature around it is not checked.
      answer = parseAnswer(decrypt(content, this.#conversationKey));
    } catch {
      this.#nip04 ||= content.includes('?iv=');
    }
    if (answer === undefined) this.#unreadable += 1;
    return answer;
  }

  wipe(): void {
    this.#clientSecretKey.fill(0);
    this.#conversationKey.fill(0);
  }

  #wrap(content: string, created_at: number): SignedEvent {
    const tags = [['p', this.bunkerPubkey]];
    return signWith(this.#clientSecretKey, { kind: BUNKER_KIND, created_at, tags, content });
  }
}

function nowS(): number {
  return Math.floor(Date.now() / 1000);
}
