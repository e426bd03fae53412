import type { AddressRules } from './address-rules';

/** Apart from `openSocket`, whose type names a socket of ws: a user of the package has not the types of ws. */
export interface SocketOptions {
  url: string;
  connectTimeoutMs: number;
  /** For a relay that a stranger named. Absent: the relay may be anywhere. */
  addressRules?: AddressRules;
  /** A larger message ends the connection. Default: 1 MiB. */
  maxMessageBytes?: number;
}
