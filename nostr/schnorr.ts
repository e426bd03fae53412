import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { finalizeEvent, verifyEvent } from 'nostr-tools/pure';
import { eventId } from './event-id';
import type { SignedEvent } from './events';

/**
 * The implementation that signs and verifies (BIP-340): libsecp256k1 as WebAssembly, or JavaScript, which
 * costs six to ten times as much.
 */
export type SchnorrEngine = 'webassembly' | 'javascript';

type Secp256k1 = Pick<
  typeof import('tiny-secp256k1'),
  'signSchnorr' | 'verifySchnorr' | 'xOnlyPointFromScalar' | 'isXOnlyPoint'
>;

let wasm: Secp256k1 | undefined;
let engine: SchnorrEngine | undefined;

/** The last public key that was found to be a point of the curve: a run has one author. */
let lastPoint = '';

/** Public keys of the secret keys that have signed: computing one costs half of a signature. */
const pubkeys = new WeakMap<Uint8Array, string>();

/**
 * Makes signing and verifying cheap from here on. Where WebAssembly cannot be used (`--jitless`, a
 * locked-down host), JavaScript does all of it.
 */
export function loadSchnorr(): SchnorrEngine {
  engine ??= load();
  return engine;
}

function load(): SchnorrEngine {
  try {
    // Not a static import: without WebAssembly, loading it throws.
    const candidate = createRequire(__filename)('tiny-secp256k1') as Secp256k1;
    requireSound(candidate);
    wasm = candidate;
    return 'webassembly';
  } catch {
    return 'javascript';
  }
}

/**
 * Made by the JavaScript implementation (@noble/curves) from `PROBE_KEY` and `PROBE_ENTROPY`. Making it at
 * each start would cost a tenth of a second.
 */
const PROBE: SignedEvent = {
  kind: 1,
  created_at: 1,
  tags: [['t', 'é"\n']],
  content: 'probe \u2028 €',
  pubkey: '989c0b76cb563971fdc9bef31ec06c3560f3249d6ee9e5d83c57625596e05f6f',
  id: '8aebec68ac32b502863a705c81e10f653f5e5abd0e2fa33a76bbfbe826e9d227',
  sig: 'c75d871d12fc95a6f4ad782665a91659d6dc4924e75f392b2a762e04110f69780c878d5e26d7a847954d04c39c325a42dd3780e21c6dec39608c8ffa90333bf5',
};
const PROBE_KEY = new Uint8Array(32).fill(7);
const PROBE_ENTROPY = new Uint8Array(32).fill(9);

/** WebAssembly is used only if it signs and verifies as JavaScript does, and refuses a forged signature. */
function requireSound(candidate: Secp256k1): void {
  const { id, pubkey, sig } = signedBy(candidate, PROBE_KEY, PROBE, PROBE_ENTROPY);
  if (id !== PROBE.id || pubkey !== PROBE.pubkey || sig !== PROBE.sig)
    throw new Error('WebAssembly signs otherwise');
  const forged = { ...PROBE, sig: `${sig.slice(0, -2)}00` };
  if (!isSignedBy(candidate, PROBE) || isSignedBy(candidate, forged))
    throw new Error('WebAssembly verifies otherwise');
}

type Template = Pick<SignedEvent, 'kind' | 'created_at' | 'tags' | 'content'>;

/** Signs an event with a key; its author becomes the key's own. */
export function signWith(secretKey: Uint8Array, template: Template): SignedEvent {
  const { kind, created_at, tags, content } = template;
  if (wasm !== undefined) {
    try {
      return signedBy(wasm, secretKey, template);
    } catch (thrown) {
      giveUpUnlessRefused(thrown);
    }
  }
  return finalizeEvent({ kind, created_at, tags, content }, secretKey);
}

function signedBy(
  secp256k1: Secp256k1,
  secretKey: Uint8Array,
  template: Template,
  entropy: Uint8Array = randomBytes(32),
): SignedEvent {
  const { kind, created_at, tags, content } = template;
  const pubkey = pubkeys.get(secretKey) ?? hexOf(secp256k1.xOnlyPointFromScalar(secretKey));
  pubkeys.set(secretKey, pubkey);
  const event = { kind, created_at, tags, content, pubkey };
  const id = eventId(event);
  const sig = hexOf(secp256k1.signSchnorr(bytesOf(id), secretKey, entropy));
  return { ...event, id, sig };
}

/** Whether an event's signature is its author's. The caller has checked the id. */
export function isSigned(event: SignedEvent): boolean {
  if (wasm !== undefined) {
    try {
      return isSignedBy(wasm, event);
    } catch (thrown) {
      giveUpUnlessRefused(thrown);
    }
  }
  const { id, pubkey, sig, kind, created_at, tags, content } = event;
  // On a copy: nostr-tools caches its verdict in the object, which may change afterwards.
  return verifyEvent({ id, pubkey, sig, kind, created_at, tags, content });
}

function isSignedBy(secp256k1: Secp256k1, { id, pubkey, sig }: SignedEvent): boolean {
  const key = bytesOf(pubkey);
  // It throws from inside WebAssembly for a key that is no point, and leaves its stack as it is then. Some
  // thousand such calls would fill the stack.
  if (pubkey !== lastPoint && !secp256k1.isXOnlyPoint(key)) return false;
  lastPoint = pubkey;
  return secp256k1.verifySchnorr(bytesOf(id), key, bytesOf(sig));
}

/**
 * It refuses impossible keys and signatures with a TypeError, and JavaScript judges these too. Any other
 * error means that WebAssembly itself is broken.
 */
function giveUpUnlessRefused(thrown: unknown): void {
  if ((thrown as Error).name === 'TypeError') return;
  wasm = undefined;
  engine = 'javascript';
}

function bytesOf(hex: string): Uint8Array {
  return Buffer.from(hex, 'hex');
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}
