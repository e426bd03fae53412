import type { Event } from 'nostr-tools/core';
import type { Filter } from 'nostr-tools/filter';
import { decrypt, getConversationKey } from 'nostr-tools/nip44';
import { getPublicKey, verifyEvent } from 'nostr-tools/pure';
import { RelayLink } from './relay-link';

const documentKind = 30078;

/** A document that the machine uses. */
export interface MachineDocument {
  atmPubkey: string;
  documentType: string;
  eventId: string;
  createdAtS: number;
  /** The operator who signed it. */
  pubkey: string;
  /** The decrypted JSON. */
  state: unknown;
}

export interface MachineOptions {
  relays: string[];
  /** The machine's own key, which documents are encrypted to. */
  secretKey: Uint8Array;
  name: string;
  /** Only documents of this author are read. */
  operatorPubkey: string;
  documentTypes: string[];
  /** Called for each document that is newer than the earlier one of its type. */
  onDocument?: (document: MachineDocument) => void;
}

export interface DevMachine {
  readonly atmPubkey: string;
  readonly name: string;
  /** The newest document of each type. */
  documents(): Map<string, MachineDocument>;
  /** Events at this machine's addresses that it could not verify or decrypt, with the reason. */
  refused(): ReadonlyArray<{ eventId: string; reason: string }>;
  /** @throws Error a type has no document within timeoutMs. The message names the missing types */
  waitFor(documentTypes: string[], timeoutMs: number): Promise<void>;
  /** Forgets all documents and reads those of another operator. Resolves with the EOSE of each relay. */
  setOperator(operatorPubkey: string): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts a simulated machine. It has a live subscription to its documents on each relay (kind 30078, d tag
 * `<type>:<machine key>`) and decrypts them with NIP-44. Resolves when it has tried each relay once.
 */
export async function startMachine(options: MachineOptions): Promise<DevMachine> {
  const machine = new Machine(options);
  await machine.attempted();
  return machine;
}

class Machine implements DevMachine {
  readonly atmPubkey: string;
  readonly name: string;
  private operatorPubkey: string;
  private stopped = false;
  private readonly typesByD: Map<string, string>;
  private readonly newest = new Map<string, MachineDocument>();
  private readonly refusals = new Map<string, string>();
  private readonly links: RelayLink[];
  private readonly onChange = new Set<() => void>();

  constructor(private readonly options: MachineOptions) {
    this.atmPubkey = getPublicKey(options.secretKey);
    this.name = options.name;
    this.operatorPubkey = options.operatorPubkey;
    this.typesByD = new Map(options.documentTypes.map((type) => [`${type}:${this.atmPubkey}`, type]));
    this.links = options.relays.map(
      (url) => new RelayLink(url, this.filter(), (event) => this.receive(event)),
    );
  }

  async attempted(): Promise<void> {
    await Promise.all(this.links.map((link) => link.attempted));
  }

  documents(): Map<string, MachineDocument> {
    return new Map(this.newest);
  }

  refused(): ReadonlyArray<{ eventId: string; reason: string }> {
    return [...this.refusals].map(([eventId, reason]) => ({ eventId, reason }));
  }

  async waitFor(documentTypes: string[], timeoutMs: number): Promise<void> {
    const missing = () => documentTypes.filter((type) => !this.newest.has(type));
    await new Promise<void>((resolve, reject) => {
      const check = (gaveUp = this.stopped) => {
        const missed = missing();
        if (missed.length > 0 && !gaveUp) return;
        clearTimeout(timer);
        this.onChange.delete(check);
        if (missed.length === 0) return resolve();
        const when = this.stopped ? 'and was stopped' : `after ${timeoutMs} ms`;
        reject(
          new Error(
            `Machine ${this.name} has no ${missed.join(', ')} of operator ${this.operatorPubkey} ${when} ` +
              `(${this.refusals.size} events refused): ` +
              'see refused(), and what the relays store at its addresses.',
          ),
        );
      };
      const timer = setTimeout(() => check(true), timeoutMs);
      this.onChange.add(check);
      check();
    });
  }

  async setOperator(operatorPubkey: string): Promise<void> {
    this.operatorPubkey = operatorPubkey;
    this.newest.clear();
    this.refusals.clear();
    await Promise.all(this.links.map((link) => link.resubscribe(this.filter())));
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.onChange.forEach((check) => check());
    await Promise.all(this.links.map((link) => link.close()));
  }

  private filter(): Filter {
    return { kinds: [documentKind], authors: [this.operatorPubkey], '#d': [...this.typesByD.keys()] };
  }

  private receive(event: Event): void {
    const documentType = this.typesByD.get(event.tags.find((tag) => tag[0] === 'd')?.[1] ?? '');
    // A relay may send events outside the filter, and the machine must not use the configuration of another
    // one.
    if (documentType === undefined || event.kind !== documentKind || event.pubkey !== this.operatorPubkey)
      return;
    const current = this.newest.get(documentType);
    if (current !== undefined && !replaces(event, current)) return;
    const opened = this.open(event);
    if (opened === undefined) return;
    const { id: eventId, created_at: createdAtS, pubkey } = event;
    const document = {
      atmPubkey: this.atmPubkey,
      documentType,
      eventId,
      createdAtS,
      pubkey,
      state: opened.value,
    };
    this.newest.set(documentType, document);
    this.options.onDocument?.(document);
    this.onChange.forEach((check) => check());
  }

  private open(event: Event): { value: unknown } | undefined {
    try {
      if (!verifyEvent(event)) throw new Error('the signature is not valid');
      return { value: JSON.parse(decrypt(event.content, this.conversationKey())) as unknown };
    } catch (error) {
      this.refusals.set(event.id, error instanceof Error ? error.message : String(error));
      return undefined;
    }
  }

  private conversationKey(): Uint8Array {
    return getConversationKey(this.options.secretKey, this.operatorPubkey);
  }
}

/** NIP-01: the later date wins. With the same date the lower id wins. */
function replaces(event: Event, current: MachineDocument): boolean {
  if (event.created_at !== current.createdAtS) return event.created_at > current.createdAtS;
  return event.id < current.eventId;
}
