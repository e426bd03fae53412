import type { RepublishError } from '../contract/failures';
import type { Rights } from '../database/rights';
import type { PresetName } from './presets';
import type { Reader } from './rights';

/** `accounts` of LNbits, as far as a run needs it. */
export interface AccountRow {
  id: string;
  /** The account's current public key, as it is written there. */
  pubkey: string | null;
}

/** `dca_machines` of the extension. */
export interface MachineRow {
  id: string;
  name: string | null;
  /** The machine's public key, hex or npub, in any case; null: it has not been paired yet. */
  machineNpub: string | null;
}

/** What `accounts` says of the account's own signer. All of it is secret. */
export interface AccountSignerRow {
  /** Such as `LocalSigner` or `RemoteBunkerSigner`. */
  signerType: string | null;
  /** JSON text; of a RemoteBunkerSigner `{ client_nsec, token, policy_id }`. */
  signerConfig: string | null;
  /** The private key of a LocalSigner, hex or nsec. */
  prvkey: string | null;
}

/**
 * The rows of one machine's state, each as the JSON text of an object with the column names as keys. As text,
 * because a number loses its digits as soon as JavaScript has read it. Or why they cannot be read: the
 * failure of this machine's document only.
 */
export type StateRows = readonly string[] | RepublishError;

export interface MachinePage {
  operatorUserId: string;
  /** Machines after this id, in the order of the ids' UTF-8 bytes. */
  after?: string | undefined;
  machineIds?: readonly string[] | undefined;
  limit: number;
}

/** Which tables are read, for a person. */
export interface SourceDescription {
  kind: 'postgres' | 'sqlite' | 'custom';
  /** Host, port and database, or the folder, or what a custom source is called. No user, no password. */
  where: string;
  /**
   * The preset in use; `queries` where the configuration replaces every query that would need one; null: a
   * custom source has no tables.
   */
  preset: PresetName | 'queries' | null;
  /** Where its machines are, in words that end with what the operator's id is compared with. */
  machinesFrom: string;
}

/** Where the machines of an operator are looked for, for whoever finds none. */
export function whereMachinesAre(
  { kind, where, machinesFrom }: SourceDescription,
  operatorUserId: string,
): string {
  if (kind === 'custom') return `${where}, ${machinesFrom} '${operatorUserId}'`;
  const database = kind === 'postgres' ? where : `SQLite in ${where}`;
  return `LNbits' database (${database}), ${machinesFrom} = '${operatorUserId}'`;
}

/**
 * LNbits' database. It is only ever read.
 *
 * Every method throws RepublishError SourceUnavailable (try again) or SourceMisconfigured (a table, column,
 * right or preset is not as the configuration says).
 */
export interface Source {
  describe(): Promise<SourceDescription>;
  account(operatorUserId: string): Promise<AccountRow | undefined>;
  /**
   * A page of the operator's machines in the order of their ids. Inactive machines are among them: they may
   * come back.
   */
  machines(page: MachinePage): Promise<MachineRow[]>;
  /** The ids of all who have a machine, or whom `queries.operators` names, in the order of the ids. */
  operators(page: { after?: string | undefined; limit: number }): Promise<string[]>;
  /**
   * Of the operator's machines the keys that are written like one of `spellings`, but for case and blanks;
   * one for each machine.
   */
  machineKeys(operatorUserId: string, spellings: readonly string[]): Promise<string[]>;
  /**
   * The states of many machines, one entry for each that was asked for; no rows: no state.
   *
   * @param maxBytes of the state; rows of more than four times as many are StateTooLarge
   */
  states(
    documentType: string,
    machineIds: readonly string[],
    maxBytes: number,
  ): Promise<Map<string, StateRows>>;
  /** The account's own signer, by `queries.signer`. Needs more rights than everything else. */
  signer(operatorUserId: string): Promise<AccountSignerRow | undefined>;
  /**
   * Relays to which LNbits' nostrclient extension publishes; undefined where it is not installed or may not
   * be read.
   */
  nostrclientRelays(): Promise<string[] | undefined>;
  /**
   * What its user has of the rights that these roles need with the configured queries; undefined: SQLite has
   * no rights.
   */
  rights(readers: readonly Reader[]): Promise<Rights | undefined>;
  close(): Promise<void>;
}

/**
 * What takes the place of LNbits' database: an API, a file, another database. `runWorker({ source })` takes it,
 * and a module that `source` in the configuration names. It is only read, by workers and by every command.
 *
 * A page of up to 100 documents is read at once, and everything is read again shortly before it is signed and
 * at the end of a run: the same data have to give the same answer. A call that has no answer after 30 seconds
 * is given up.
 *
 * Every method may throw RepublishError `SourceUnavailable` (it is tried again) or `SourceMisconfigured` (it is
 * not). Any other error is `SourceUnavailable`; its message is not shown, since it may quote a secret.
 */
export interface CustomSource {
  /** What it is called, for a person, such as `the fleet API at api.example.com`. No password. */
  readonly name: string;
  /** The account and its current public key (hex or npub); undefined: there is no such account. */
  account(operatorUserId: string): Promise<AccountRow | undefined>;
  /**
   * At most `limit` machines of the operator with an id after `after`, in the order of the ids' UTF-8 bytes;
   * with `machineIds` only those. Fewer than `limit` say that there are no more.
   */
  machines(page: MachinePage): Promise<MachineRow[]>;
  /**
   * The rows of the state of each of these machines, each row as the JSON text of an object: what the document
   * type makes its document of (docs/developing.md). A row with the one key `state` is the document as it is.
   * No entry, or no rows: the machine has no state. As text, because a number loses its digits as soon as
   * JavaScript has read it.
   *
   * An entry may be a RepublishError `StateInvalid`, where the state of one machine cannot be read.
   */
  states(documentType: string, machineIds: readonly string[]): Promise<ReadonlyMap<string, StateRows>>;
  /**
   * At most `limit` ids of operators after `after`, in the order of their UTF-8 bytes: for fleets of all
   * operators and for `doctor`. Absent: those with a signer in the ledger.
   */
  operators?(page: { after?: string | undefined; limit: number }): Promise<string[]>;
  /**
   * The account's own signer, for `signers: "lnbits"` in the configuration. Absent: there is none to be read.
   */
  signer?(operatorUserId: string): Promise<AccountSignerRow | undefined>;
  /** Called once, when the worker or the command ends. */
  close?(): void | Promise<void>;
}
