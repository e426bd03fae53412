import type { Limiter } from '../../async/limiter';
import type { Telemetry } from '../../contract/telemetry';
import type { RequestWindow } from '../../rules/window';
import type { AddressRules } from '../relays/address-rules';
import type { RequestPacer } from './request-pacer';

export interface BunkerClientOptions {
  bunkerPubkey: string;
  relays: readonly string[];
  /** The relays that the pairing named, where the bunker has moved to others since. Default: `relays`. */
  namedRelays?: readonly string[];
  /** The client key. It is copied, and wiped on close. */
  clientSecretKey: Uint8Array;
  /** From sending a request to its answer. */
  requestTimeoutMs: number;
  /**
   * From sending a request to its answer, after the bunker asked for a person's approval (`auth_url`). A
   * question that may be asked again also stays open so long: a bunker may ask a person without telling us.
   */
  approvalTimeoutMs: number;
  /** How long a good answer may come after a refusal. Default: a fifteenth of `requestTimeoutMs`. */
  refusalGraceMs?: number;
  connectTimeoutMs: number;
  /** Where the bunker's relays may be. Default: on this machine and on the public internet. */
  addressRules?: AddressRules;
  /** Shared by all clients of this bunker in the process. */
  limiter: Limiter;
  /** Shared too: how many requests the limiter lets through. Default: the limiter's own limit. */
  window?: RequestWindow | undefined;
  /** Shared too: the pace at which the bunker and its relays take requests. Default: one of its own. */
  pacer?: RequestPacer;
  /** What silence may mean with this bunker: part of the message of a request without an answer. */
  silenceMayMean?: string | undefined;
  /**
   * Called with the page on which a person approves a request. The URL is a secret of the operator: never log
   * it.
   */
  onApprovalNeeded?(url: string): void;
  telemetry?: Telemetry | undefined;
}
