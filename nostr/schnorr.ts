import { initNostrWasm } from 'nostr-wasm';
import { finalizeEvent, verifyEvent } from 'nostr-tools/pure';
import type { SignedEvent } from './events';

/** nostr-wasm's own names; it works on the object that it is given. */
interface Wasm {
  finalizeEvent(event: object, secretKey: Uint8Array): void;
  verifyEvent(event: object): void;
}

/** What signs and verifies: libsecp256k1 as WebAssembly, or the same in JavaScript, at about six times the cost. */
export type SchnorrEngine = 'webassembly' | 'javascript';

/** WebAssembly's memory is small, and what does not fit would end in an error of its own. */
const MAX_WASM_CHARS = 100_000;
/** Characters that an entry or a tag takes in what is hashed even when it is empty: quotes or brackets, and a comma. */
const CHARS_OF_NOTHING = 3;
/** How nostr-wasm says no; every other error is one of its own. */
const ITS_NO = /^(id|pubkey|signature) is invalid$/;

let wasm: Wasm | undefined;
let loading: Promise<SchnorrEngine> | undefined;

/**
 * Makes signing and verifying cheap from here on. Where WebAssembly cannot be used (`--jitless`, a locked-down host) all
 * goes on in JavaScript. Never rejects.
 */
export function loadSchnorr(): Promise<SchnorrEngine> {
  loading ??= load();
  return loading;
}

async function load(): Promise<SchnorrEngine> {
  try {
    const candidate: Wasm = await initNostrWasm();
    requireSound(candidate);
    wasm = candidate;
    return 'webassembly';
  } catch {
    return 'javascript';
  }
}

/** It must agree with the JavaScript in both directions, and must say no, before anything is left to it. */
function requireSound(candidate: Wasm): void {
  const key = new Uint8Array(32).fill(7);
  const template = { kind: 1, created_at: 1, tags: [['t', 'é"\n']], content: 'probe \u2028 €' };
  const theirs = { ...template, id: '', pubkey: '', sig: '' };
  candidate.finalizeEvent(theirs, key);
  const ours = finalizeEvent({ ...template }, key);
  if (!verifyEvent({ ...theirs }) || theirs.id !== ours.id || theirs.pubkey !== ours.pubkey)
    throw new Error('WebAssembly signs otherwise');
  const { id, pubkey, sig } = ours;
  candidate.verifyEvent({ ...template, id, pubkey, sig });
  const forged = { ...template, id, pubkey, sig: `${sig.slice(0, -2)}${sig.endsWith('00') ? '01' : '00'}` };
  let refused = false;
  try {
    candidate.verifyEvent(forged);
  } catch {
    refused = true;
  }
  if (!refused) throw new Error('WebAssembly verifies anything');
}

/** Signs an event with a key; its author becomes the key's own. */
export function signWith(
  secretKey: Uint8Array,
  { kind, created_at, tags, content }: Pick<SignedEvent, 'kind' | 'created_at' | 'tags' | 'content'>,
): SignedEvent {
  if (wasm === undefined || !fitsWasm(tags, content))
    return finalizeEvent({ kind, created_at, tags, content }, secretKey);
  const event = { kind, created_at, tags, content, id: '', pubkey: '', sig: '' };
  try {
    wasm.finalizeEvent(event, secretKey);
    return event;
  } catch {
    startAnew();
    return finalizeEvent({ kind, created_at, tags, content }, secretKey);
  }
}

/** Whether the signature of an event, whose id is known to be right, is its author's. */
export function isSigned({ id, pubkey, sig, kind, created_at, tags, content }: SignedEvent): boolean {
  // On a copy: nostr-tools keeps its verdict on the object, which may be changed afterwards.
  const event = { id, pubkey, sig, kind, created_at, tags, content };
  try {
    if (wasm === undefined || !fitsWasm(tags, content)) return verifyEvent(event);
    wasm.verifyEvent(event);
    return true;
  } catch (error) {
    // By its message: in jest, the errors of a library are no instances of Error.
    if (wasm === undefined || ITS_NO.test((error as Error).message)) return false;
    startAnew();
    return isSigned(event);
  }
}

/** What ends within WebAssembly leaves its stack as it was there: after some of that, every signature would be bad. */
function startAnew(): void {
  wasm = undefined;
  loading = load();
}

function fitsWasm(tags: string[][], content: string): boolean {
  const ofTag = (tag: string[]): number =>
    tag.reduce((chars, entry) => chars + entry.length + CHARS_OF_NOTHING, CHARS_OF_NOTHING);
  return tags.reduce((chars, tag) => chars + ofTag(tag), content.length) <= MAX_WASM_CHARS;
}
