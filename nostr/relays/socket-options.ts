import type { AddressRules } from './address-rules';

/** Apart from `openSocket`, so that the published types of a connection do not need those of `ws`. */
export interface SocketOptions {
  url: string;
  connectTimeoutMs: number;
  /** For a relay that a stranger named. Absent: the relay may be anywhere. */
  addressRules?: AddressRules;
  /** A larger message ends the connection. Default: 1 MiB. */
  maxMessageBytes?: number;
}
