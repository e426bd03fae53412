import { RepublishError } from '../../contract/failures';
import { type AddressRules, isAllowedUrl, rulesFor } from '../relays/address-rules';
import { shownRelay } from '../relays/url';
import { BunkerLink, type LinkOptions } from './link';

export interface BunkerLinksOptions extends Omit<LinkOptions, 'url' | 'addressRules'> {
  relays: readonly string[];
  /** The relays that the pairing named, where the bunker has moved to others since. */
  namedRelays: readonly string[];
  addressRules: AddressRules;
  /** An answer to an earlier request may still come over it. */
  isNeeded(link: BunkerLink): boolean;
}

/** The links to a bunker, one for each of its relays, also after it moves to other relays. */
export class BunkerLinks {
  /** Over these links requests are sent. */
  #links: BunkerLink[];
  /** Links to new relays, until one of them is ready. */
  #incoming: BunkerLink[] = [];
  /** Old links on which answers to earlier requests may still come. */
  #retiring = new Set<BunkerLink>();
  #closed = false;

  constructor(private readonly options: BunkerLinksOptions) {
    this.#links = options.relays.map((url) => this.#open(url));
  }

  get links(): readonly BunkerLink[] {
    return this.#links;
  }

  /**
   * Resolves when one relay can carry requests. Rejects as soon as each of them has failed: a run keeps
   * trying, but a person who pairs wants to know.
   *
   * @throws RepublishError SignerUnreachable
   */
  async untilReachable(): Promise<void> {
    const links = this.#links;
    const ready = links.map((link) => link.firstTry.then(() => link.isReady || Promise.reject(NOT_READY)));
    await Promise.any(ready).catch(() => {
      const troubles = links.map(({ url, trouble }) => `${shownRelay(url)}: ${trouble}`).join('; ');
      throw new RepublishError('SignerUnreachable', `no relay of the bunker can be reached (${troubles})`);
    });
  }

  /** Whether the rules allow a relay that the bunker names. */
  isAllowed(url: string): boolean {
    return isAllowedUrl(url, this.#rulesFor(url));
  }

  /**
   * Open requests end on the old relays. Later requests go over the new relays, once one of them is ready.
   *
   * @returns whether the client has moved
   */
  async switchTo(relays: readonly string[]): Promise<boolean> {
    const standing = new Map(this.#links.map((link) => [link.url, link]));
    if (relays.length === standing.size && relays.every((url) => standing.has(url))) return false;
    const links = relays.map((url) => standing.get(url) ?? this.#open(url));
    this.#incoming = links.filter((link) => !this.#links.includes(link));
    const patienceMs = 2 * this.options.connectTimeoutMs;
    const isReady = await Promise.any(links.map((link) => link.untilReady(patienceMs))).then(
      () => true,
      () => false,
    );
    const incoming = this.#incoming;
    this.#incoming = [];
    if (!isReady || this.#closed) {
      for (const link of incoming) link.close();
      return false;
    }
    for (const link of this.#links) if (!links.includes(link)) this.#retiring.add(link);
    this.#links = links;
    this.retire();
    return true;
  }

  /** Closes old links once no request waits for an answer there. */
  retire(): void {
    for (const link of [...this.#retiring]) {
      if (this.options.isNeeded(link)) continue;
      this.#retiring.delete(link);
      link.close();
    }
  }

  close(): void {
    this.#closed = true;
    for (const link of [...this.#links, ...this.#incoming, ...this.#retiring]) link.close();
  }

  #open(url: string): BunkerLink {
    return new BunkerLink({ ...this.options, url, addressRules: this.#rulesFor(url) });
  }

  #rulesFor(url: string): AddressRules {
    return rulesFor(url, this.options.namedRelays, this.options.addressRules);
  }
}

const NOT_READY = new Error('the relay cannot carry requests');
