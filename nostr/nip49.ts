import { randomBytes, scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import { bech32 } from '@scure/base';

/**
 * NIP-49, version 2: `version | log_n | salt (16) | nonce (24) | key security byte | ciphertext (32 + 16)`.
 */
const VERSION = 2;
const SALT_END = 2 + 16;
const NONCE_END = SALT_END + 24;
const PAYLOAD_BYTES = NONCE_END + 1 + 32 + 16;
/** "The client does not track" whether the key was ever handled carelessly (NIP-49). */
const KEY_SECURITY = 2;
const PREFIX = 'ncryptsec';
const BECH32_LIMIT = 5_000;

/** 2^16 rounds of scrypt (64 MiB, about 0.15 s) for each guess at a password that a person made up. */
const LOG_N_PASSWORD = 16;
/**
 * For a key of 32 random bytes (`openssl rand -hex 32`): nobody can guess it, so rounds protect nothing, and
 * would only delay the first document of every run.
 */
const LOG_N_RANDOM = 10;
const RANDOM = /^[0-9a-f]{64}$/i;
/** A stored key must not make this process spend more rounds than this. */
const MAX_LOG_N = 20;

/**
 * Encrypts a secret key with a password (NIP-49). nostr-tools has this too, but synchronous and in
 * JavaScript: for many signers it would block the event loop, and with it the heartbeats, for a fifth of a
 * second each.
 *
 * @returns `ncryptsec1...`
 */
export async function encryptSecretKey(secretKey: Uint8Array, password: string): Promise<string> {
  const salt = randomBytes(16);
  const nonce = randomBytes(24);
  const logN = RANDOM.test(password) ? LOG_N_RANDOM : LOG_N_PASSWORD;
  const key = await deriveKey(password, salt, logN);
  const sealed = xchacha20poly1305(key, nonce, Uint8Array.of(KEY_SECURITY)).encrypt(secretKey);
  key.fill(0);
  const payload = Uint8Array.from([VERSION, logN, ...salt, ...nonce, KEY_SECURITY, ...sealed]);
  return bech32.encode(PREFIX, bech32.toWords(payload), BECH32_LIMIT);
}

/** Decrypts `ncryptsec1...`. Rejects when it is none, or the password is wrong. */
export async function decryptSecretKey(ncryptsec: string, password: string): Promise<Uint8Array> {
  const { prefix, words } = bech32.decode(ncryptsec as `${string}1${string}`, BECH32_LIMIT);
  const payload = bech32.fromWords(words);
  const [version, logN = 0] = payload;
  if (prefix !== PREFIX || version !== VERSION || payload.length !== PAYLOAD_BYTES || logN > MAX_LOG_N) {
    throw new Error('not an encrypted secret key of NIP-49 version 2');
  }
  const key = await deriveKey(password, payload.subarray(2, SALT_END), logN);
  try {
    const nonce = payload.subarray(SALT_END, NONCE_END);
    const associated = payload.subarray(NONCE_END, NONCE_END + 1);
    return xchacha20poly1305(key, nonce, associated).decrypt(payload.subarray(NONCE_END + 1));
  } finally {
    key.fill(0);
  }
}

const scryptAsync = promisify<
  string,
  Uint8Array,
  number,
  { N: number; r: number; p: number; maxmem: number },
  Buffer
>(scrypt);

async function deriveKey(password: string, salt: Uint8Array, logN: number): Promise<Uint8Array> {
  const N = 2 ** logN;
  return new Uint8Array(
    await scryptAsync(password.normalize('NFKC'), salt, 32, { N, r: 8, p: 1, maxmem: 2 * 128 * N * 8 }),
  );
}
