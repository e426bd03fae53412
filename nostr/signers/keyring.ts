import { createHash } from 'node:crypto';
import type { SignerLoad, Telemetry } from '../../contract/telemetry';
import { BunkerClient } from '../bunker/client';
import { RequestWindow } from '../../rules/window';
import { Limiter } from '../../async/limiter';
import { RequestPacer } from '../bunker/request-pacer';
import { addressRulesOf } from '../bunker/bunker-relay-limits';
import { tellingSilence } from '../bunker/silence';
import { MAX_RELAYS } from '../bunker/uri';
import { unlockSecretKey } from '../keys';
import type { CustomSigner } from './custom';
import type { LnbitsSigner } from './lnbits';
import { LNBITS_CONCURRENCY, LNBITS_SILENCE, lnbitsClient } from './lnbits-client';
import { createLocalSigner } from './local';
import type { OpenedSigner, Signer } from './signer';

/** A signer as it is stored, without the secrets key. */
export type StoredSigner = { ncryptsec: string } & (
  | { kind: 'local' }
  | {
      kind: 'bunker';
      bunkerPubkey: string;
      bunkerRelays: string[];
      /** The relays of the pairing. The bunker may have moved to others since. */
      namedRelays: string[];
    }
);

export interface KeyringOptions {
  /** Opens the stored keys (NIP-49). */
  secretsKey: string;
  bunkerConcurrency: number;
  /** To measure a bunker: use the full concurrency from the beginning. */
  measures?: boolean;
  bunkerTimeoutMs: number;
  approvalTimeoutMs: number;
  connectTimeoutMs: number;
  allowPrivateBunkerRelays: boolean;
  onApprovalNeeded?(bunkerPubkey: string, url: string): void;
  /**
   * Called when a bunker has moved to other relays. The caller stores them, so that the next process starts
   * there.
   */
  onRelaysSwitched?(stored: StoredSigner & { kind: 'bunker' }, relays: string[]): void;
  telemetry?: Telemetry;
}

/** A signer that the keyring opens with a key: one that was paired here, or the account's own. */
type KeyedSigner = StoredSigner | LnbitsSigner;

/** An operator's signer: one of those, or one that a provider found. */
export type CurrentSigner = KeyedSigner | CustomSigner;

/** A signer that asks a bunker. */
export type OfBunker = Extract<KeyedSigner, { bunkerPubkey: string }>;

function isCustom(signer: CurrentSigner): signer is CustomSigner {
  return 'open' in signer;
}

/**
 * Whether a bunker has its key. Checked by kind: the row of a local signer has the columns of a bunker, too.
 */
export function isOfBunker(signer: CurrentSigner): signer is OfBunker {
  return !isCustom(signer) && (signer.kind === 'bunker' || signer.kind === 'lnbits-bunker');
}

/** What all clients of a bunker share. */
interface Shared {
  limiter: Limiter;
  window: RequestWindow | undefined;
  pacer: RequestPacer;
}

/** How long an unused signer keeps its connection, and its key in memory. */
const IDLE_MS = 60_000;

interface Entry {
  signer: Promise<OpenedSigner>;
  users: number;
  askedForRelays?: boolean;
  idleTimer?: NodeJS.Timeout;
}

/**
 * The open signers of this process. All documents of an operator share one. It is closed, and its key wiped,
 * some time after the last document.
 */
export class Keyring {
  #entries = new Map<string, Entry>();
  /**
   * What all clients of a bunker share, by bunker and relays. It is kept: the rate and window of a bunker are
   * not measured again for every run. The relays are part of the key, so that an operator who pairs with a
   * foreign bunker over a relay of their own cannot slow the others down.
   */
  #shared = new Map<string, Shared>();

  constructor(private readonly options: KeyringOptions) {}

  /** Lends the signer to `work`. A provider's signer is not opened or closed here. */
  async use<T>(stored: CurrentSigner, work: (signer: Signer) => Promise<T>): Promise<T> {
    if (isCustom(stored)) return work(stored.open(this.options.telemetry));
    const entry = this.#entryOf(stored);
    clearTimeout(entry.idleTimer);
    entry.users += 1;
    try {
      const signer = await entry.signer;
      const result = await work(signer);
      if (stored.kind === 'bunker') void this.#followRelays(stored, signer, entry);
      return result;
    } finally {
      entry.users -= 1;
      if (entry.users === 0 && this.#entries.get(identityOf(stored)) === entry) this.#closeLater(entry);
    }
  }

  close(): void {
    for (const entry of new Set(this.#entries.values())) this.#close(entry);
  }

  /** The load of the bunkers at this moment. */
  load(): SignerLoad {
    const load: SignerLoad = { inFlight: 0, waiting: 0, pacedBunkers: 0, slowestRatePerS: Infinity };
    for (const { limiter, pacer } of this.#shared.values()) {
      // A request that waits for the rate already counts as running.
      load.inFlight += Math.max(0, limiter.running - pacer.waiting);
      load.waiting += limiter.waiting + pacer.waiting;
      if (pacer.ratePerS < Infinity) load.pacedBunkers += 1;
      load.slowestRatePerS = Math.min(load.slowestRatePerS, pacer.ratePerS);
    }
    return load;
  }

  #entryOf(stored: KeyedSigner): Entry {
    const identity = identityOf(stored);
    let entry = this.#entries.get(identity);
    if (entry === undefined) {
      entry = { signer: this.#open(stored), users: 0 };
      this.#entries.set(identity, entry);
      // A signer that fails to open is not kept: the next caller tries again.
      entry.signer.catch(() => this.#entries.delete(identity));
    }
    return entry;
  }

  async #open(stored: KeyedSigner): Promise<OpenedSigner> {
    switch (stored.kind) {
      case 'local':
        return createLocalSigner(await unlockSecretKey(stored.ncryptsec, this.options.secretsKey));
      case 'bunker':
        return tellingSilence(
          this.#clientFor(stored, await unlockSecretKey(stored.ncryptsec, this.options.secretsKey)),
          this.options.bunkerTimeoutMs,
        );
      case 'lnbits-local':
        return createLocalSigner(stored.secretKey());
      case 'lnbits-bunker':
        return lnbitsClient(this.#clientFor(stored, stored.secretKey()));
    }
  }

  /** @param secretKey of the client; it is wiped here */
  #clientFor(signer: OfBunker, secretKey: Uint8Array): BunkerClient {
    const client = new BunkerClient({
      bunkerPubkey: signer.bunkerPubkey,
      relays: signer.bunkerRelays.slice(0, MAX_RELAYS),
      namedRelays: signer.kind === 'bunker' ? signer.namedRelays : signer.bunkerRelays,
      clientSecretKey: secretKey,
      requestTimeoutMs: this.options.bunkerTimeoutMs,
      approvalTimeoutMs: this.options.approvalTimeoutMs,
      connectTimeoutMs: this.options.connectTimeoutMs,
      addressRules: addressRulesOf(signer, this.options.allowPrivateBunkerRelays),
      ...this.#sharedFor(signer),
      silenceMayMean: signer.kind === 'lnbits-bunker' ? LNBITS_SILENCE : undefined,
      onApprovalNeeded: (url) => this.options.onApprovalNeeded?.(signer.bunkerPubkey, url),
      telemetry: this.options.telemetry,
    });
    secretKey.fill(0);
    return client;
  }

  #sharedFor({ kind, bunkerPubkey, bunkerRelays }: OfBunker): Shared {
    const key = [kind, bunkerPubkey, ...bunkerRelays.toSorted()].join(' ');
    const shared = this.#shared.get(key) ?? this.#newShared(kind === 'lnbits-bunker');
    this.#shared.set(key, shared);
    return shared;
  }

  #newShared(isLnbits: boolean): Shared {
    const { bunkerConcurrency, bunkerTimeoutMs, measures = false } = this.options;
    const ceiling = isLnbits ? Math.min(LNBITS_CONCURRENCY, bunkerConcurrency) : bunkerConcurrency;
    if (measures) return { window: undefined, limiter: new Limiter(ceiling), pacer: new RequestPacer() };
    const window = new RequestWindow(ceiling, bunkerTimeoutMs);
    return { window, limiter: new Limiter(window.limit), pacer: new RequestPacer() };
  }

  /**
   * Asked once per client, and only after the bunker has answered it: a bunker that does not know the client
   * yet would refuse. A caller with the new, stored relays gets the same client.
   */
  async #followRelays(
    stored: StoredSigner & { kind: 'bunker' },
    signer: OpenedSigner,
    entry: Entry,
  ): Promise<void> {
    if (entry.askedForRelays) return;
    entry.askedForRelays = true;
    const relays = await signer.switchRelays?.();
    if (relays === undefined || this.#entries.get(identityOf(stored)) !== entry) return;
    this.#entries.set(identityOf({ ...stored, bunkerRelays: relays }), entry);
    this.options.onRelaysSwitched?.(stored, relays);
  }

  /** A bunker whose answer may still come is not closed: a person can take longer than any caller waits. */
  #closeLater(entry: Entry): void {
    entry.idleTimer = setTimeout(() => {
      entry.signer.then(
        ({ isAwaited }) => {
          if (entry.users > 0) return;
          if (isAwaited === true) this.#closeLater(entry);
          else this.#close(entry);
        },
        () => this.#close(entry),
      );
    }, IDLE_MS);
    entry.idleTimer.unref();
  }

  #close(entry: Entry): void {
    for (const [identity, other] of [...this.#entries]) if (other === entry) this.#entries.delete(identity);
    clearTimeout(entry.idleTimer);
    entry.signer.then(
      (signer) => signer.close(),
      () => undefined,
    );
  }
}

/**
 * The identity of an open signer. One that is stored again is another signer, even for the same operator. So
 * is one with another key.
 */
function identityOf(signer: KeyedSigner): string {
  switch (signer.kind) {
    case 'local':
      return signer.ncryptsec;
    case 'bunker':
      return [signer.ncryptsec, signer.bunkerPubkey, ...signer.bunkerRelays].join(' ');
    case 'lnbits-local':
      return [signer.kind, hashOf(signer)].join(' ');
    case 'lnbits-bunker':
      return [signer.kind, hashOf(signer), signer.bunkerPubkey, ...signer.bunkerRelays].join(' ');
  }
}

/**
 * The name under which the ledger keeps a proof: kind, bunker or public key, and a hash of the key. A signer
 * that is paired again has another name; one that moved to other relays has the same.
 */
export function nameOfSigner(signer: CurrentSigner & { pubkey: string }): string {
  if (isCustom(signer)) return `${signer.kind} ${signer.pubkey}`;
  const asked = isOfBunker(signer) ? signer.bunkerPubkey : signer.pubkey;
  const key =
    'ncryptsec' in signer ? createHash('sha256').update(signer.ncryptsec).digest('hex') : hashOf(signer);
  return `${signer.kind} ${asked} ${key}`;
}

/** Distinguishes keys without containing one: the keys of a map stay in memory and appear in heap dumps. */
function hashOf(signer: LnbitsSigner): string {
  const secretKey = signer.secretKey();
  const hash = createHash('sha256').update('republish keyring').update(secretKey).digest('hex');
  secretKey.fill(0);
  return hash;
}
