import type { Event, EventTemplate } from 'nostr-tools/core';
import { decrypt, encrypt } from 'nostr-tools/nip44';
import { getPublicKey } from 'nostr-tools/pure';
import { ensureError } from '../contract/failures';
import { signWith } from '../nostr/schnorr';
import { type BunkerAnswer, type BunkerRequest, conversationKeyOf, type FaultAction } from './bunker-faults';

export interface BunkerMethodsOptions {
  /** The operator's key. */
  userSecretKey: Uint8Array;
  signerPubkey: string;
  /** The secret of the bunker URI. */
  secret: string;
  /** See BunkerOptions. */
  grants: readonly string[] | undefined;
  knownClients: readonly string[] | undefined;
}

/** The NIP-46 methods of the dev bunker, and which client may use them. */
export class BunkerMethods {
  readonly authorisedClients: Set<string>;
  readonly #forgotten = new Set<string>();
  readonly #userPubkey: string;

  constructor(private readonly options: BunkerMethodsOptions) {
    this.#userPubkey = getPublicKey(options.userSecretKey);
    this.authorisedClients = new Set(options.knownClients);
  }

  /** Paired clients get no answer any more, until they pair again. */
  forgetClients(): void {
    for (const client of this.authorisedClients) this.#forgotten.add(client);
    this.authorisedClients.clear();
  }

  /** @returns undefined: the bunker ignores the request */
  perform(request: BunkerRequest, action: FaultAction): Partial<BunkerAnswer> | undefined {
    const { method, params, clientPubkey } = request;
    if (!this.#isGranted(request) || this.#isForgotten(request)) return undefined;
    if (method === 'connect') return this.#pair(clientPubkey, params);
    const asksAsStranger = !this.authorisedClients.has(clientPubkey);
    if (asksAsStranger && this.options.grants === undefined) return { error: 'unauthorized' };
    try {
      switch (method) {
        case 'ping':
          return { result: 'pong' };
        case 'get_public_key':
          return { result: action.reportPubkey ?? this.#userPubkey };
        case 'switch_relays':
          return { result: 'null' };
        case 'nip44_encrypt':
          return { result: encryptFor(action, this.options.userSecretKey, params) };
        case 'nip44_decrypt':
          return {
            result: decrypt(params[1] ?? '', conversationKeyOf(this.options.userSecretKey, params[0] ?? '')),
          };
        case 'sign_event':
          return this.#sign(params[0] ?? '', action);
        default:
          return { error: `unsupported method: ${method}` };
      }
    } catch (error) {
      return { error: `${method} failed: ${ensureError(error).message}` };
    }
  }

  #isForgotten({ method, clientPubkey }: BunkerRequest): boolean {
    const isKnownAgain = method === 'connect' || this.authorisedClients.has(clientPubkey);
    return !isKnownAgain && this.#forgotten.has(clientPubkey);
  }

  #isGranted({ method, params, clientPubkey }: BunkerRequest): boolean {
    const { grants } = this.options;
    if (grants === undefined || method === 'get_public_key') return true;
    if (!this.authorisedClients.has(clientPubkey)) return false;
    const asked = method === 'sign_event' ? `sign_event:${kindOf(params[0] ?? '')}` : method;
    return grants.includes(asked);
  }

  #pair(clientPubkey: string, [signerPubkey, secret]: readonly string[]): Partial<BunkerAnswer> {
    if (signerPubkey !== this.options.signerPubkey) return { error: 'connect names another remote signer' };
    if (this.authorisedClients.has(clientPubkey)) return { result: 'ack' };
    if (secret !== this.options.secret) return { error: 'invalid secret' };
    if (this.authorisedClients.size > 0) return { error: 'secret already used by another client' };
    this.authorisedClients.add(clientPubkey);
    return { result: 'ack' };
  }

  #sign(templateJson: string, action: FaultAction): Partial<BunkerAnswer> | undefined {
    const template = JSON.parse(templateJson) as EventTemplate & { pubkey?: string };
    // As rust-nostr: a template without a pubkey is not an event, and the bunker does not answer.
    if (typeof template.pubkey !== 'string') return undefined;
    if (template.pubkey !== this.#userPubkey) return { error: 'the event names another public key' };
    const signed: Event = signWith(action.signWith ?? this.options.userSecretKey, template);
    const sent = action.mutateEvent?.(signed) ?? signed;
    return { result: JSON.stringify(sent) };
  }
}

function kindOf(template: string): unknown {
  try {
    return (JSON.parse(template) as Partial<EventTemplate>).kind;
  } catch {
    return undefined;
  }
}

function encryptFor(
  { encryptWith, encryptText }: FaultAction,
  userSecretKey: Uint8Array,
  [peer = '', text = '']: readonly string[],
): string {
  return encrypt(encryptText ?? text, conversationKeyOf(encryptWith ?? userSecretKey, peer));
}
