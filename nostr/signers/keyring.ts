import { BunkerClient } from '../bunker/client';
import { Limiter } from '../bunker/limiter';
import { unlockSecretKey } from '../keys';
import { createLocalSigner } from './local';
import type { Signer } from './signer';

/** A signer as it is stored: everything but the secrets key. */
export type StoredSigner = { ncryptsec: string } & (
  { kind: 'local' } | { kind: 'bunker'; bunkerPubkey: string; bunkerRelays: string[] }
);

export interface KeyringOptions {
  /** Opens the stored keys (NIP-49). */
  secretsKey: string;
  bunkerConcurrency: number;
  bunkerTimeoutMs: number;
  approvalTimeoutMs: number;
  connectTimeoutMs: number;
  onApprovalNeeded?(bunkerPubkey: string, url: string): void;
}

/** How long an unused signer keeps its connection and its key in memory. */
const IDLE_MS = 60_000;

interface Entry {
  signer: Signer;
  users: number;
  idleTimer?: NodeJS.Timeout;
}

/**
 * The open signers of this process: one for each stored signer, shared by all documents that need it, and closed (its
 * key wiped) a while after the last one is done.
 */
export class Keyring {
  #entries = new Map<string, Entry>();
  #limiters = new Map<string, Limiter>();

  constructor(private readonly options: KeyringOptions) {}

  /** Lends the signer to `work`. */
  async use<T>(stored: StoredSigner, work: (signer: Signer) => Promise<T>): Promise<T> {
    const entry = this.#entries.get(identityOf(stored)) ?? this.#open(stored);
    clearTimeout(entry.idleTimer);
    entry.users += 1;
    try {
      return await work(entry.signer);
    } finally {
      entry.users -= 1;
      if (entry.users === 0) {
        entry.idleTimer = setTimeout(() => this.#close(identityOf(stored)), IDLE_MS);
        entry.idleTimer.unref();
      }
    }
  }

  close(): void {
    for (const identity of [...this.#entries.keys()]) this.#close(identity);
  }

  #open(stored: StoredSigner): Entry {
    const secretKey = unlockSecretKey(stored.ncryptsec, this.options.secretsKey);
    const entry: Entry = { signer: this.#signerFor(stored, secretKey), users: 0 };
    this.#entries.set(identityOf(stored), entry);
    return entry;
  }

  #signerFor(stored: StoredSigner, secretKey: Uint8Array): Signer {
    if (stored.kind === 'local') return createLocalSigner(secretKey);
    const client = new BunkerClient({
      bunkerPubkey: stored.bunkerPubkey,
      relays: stored.bunkerRelays,
      clientSecretKey: secretKey,
      requestTimeoutMs: this.options.bunkerTimeoutMs,
      approvalTimeoutMs: this.options.approvalTimeoutMs,
      connectTimeoutMs: this.options.connectTimeoutMs,
      limiter: this.#limiterFor(stored.bunkerPubkey),
      onApprovalNeeded: (url) => this.options.onApprovalNeeded?.(stored.bunkerPubkey, url),
    });
    secretKey.fill(0);
    return client;
  }

  #limiterFor(bunkerPubkey: string): Limiter {
    const limiter = this.#limiters.get(bunkerPubkey) ?? new Limiter(this.options.bunkerConcurrency);
    this.#limiters.set(bunkerPubkey, limiter);
    return limiter;
  }

  #close(identity: string): void {
    const entry = this.#entries.get(identity);
    this.#entries.delete(identity);
    clearTimeout(entry?.idleTimer);
    entry?.signer.close();
  }
}

/** A signer that is stored anew is another signer, also for the same operator. */
function identityOf(stored: StoredSigner): string {
  return stored.kind === 'local'
    ? stored.ncryptsec
    : [stored.ncryptsec, stored.bunkerPubkey, ...stored.bunkerRelays].join(' ');
}
