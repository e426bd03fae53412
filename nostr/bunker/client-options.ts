import type { Limiter } from '../../async/limiter';
import type { Telemetry } from '../../contract/telemetry';
import type { RequestWindow } from '../../rules/window';
import type { AddressRules } from '../relays/address-rules';
import type { RequestPacer } from './request-pacer';

export interface BunkerClientOptions {
  bunkerPubkey: string;
  relays: readonly string[];
  /** Those that somebody here has named, where the bunker has moved to others since. Absent: `relays`. */
  namedRelays?: readonly string[];
  /** Key by which the bunker knows this client; copied, and wiped on close. */
  clientSecretKey: Uint8Array;
  /** From sending a request to its answer. */
  requestTimeoutMs: number;
  /**
   * The same, once the bunker has asked for a person's approval (`auth_url`); and so long a question that may
   * be asked again stays open, as a person may be asked without a word.
   */
  approvalTimeoutMs: number;
  /** So long a good answer may come after a refusal. Absent: a fifteenth of a request's time. */
  refusalGraceMs?: number;
  connectTimeoutMs: number;
  /** Where the bunker's relays may be. Absent: on this machine and on the public internet. */
  addressRules?: AddressRules;
  /** Shared by all clients of this bunker in the process. */
  limiter: Limiter;
  /** Likewise: how many requests the limiter lets through. Absent: as many as it was made with. */
  window?: RequestWindow | undefined;
  /** Likewise: finds the rate at which the bunker's relays pass requests on. Absent: one of its own. */
  pacer?: RequestPacer;
  /** What silence may mean with this bunker, for the message of a request that had no answer. */
  silenceMayMean?: string | undefined;
  /** The page on which a person approves a request. It is a secret of the operator's: never log it. */
  onApprovalNeeded?(url: string): void;
  telemetry?: Telemetry | undefined;
}
