import type { RepublishError } from '../contract/failures';
import type { Rights } from '../database/rights';
import type { PresetName } from './presets';
import type { Reader } from './rights';

/** The columns of LNbits' table `accounts` that a run needs. */
export interface AccountRow {
  id: string;
  /** The account's current public key as it is written there: hex or npub. */
  pubkey: string | null;
}

/** The columns of the extension's table `dca_machines` that a run needs. */
export interface MachineRow {
  id: string;
  name: string | null;
  /** The machine's public key, hex or npub, upper or lower case. Null: it is not paired yet. */
  machineNpub: string | null;
}

/** The account's own signer in LNbits' table `accounts`. All of it is secret. */
export interface AccountSignerRow {
  /** Such as `LocalSigner` or `RemoteBunkerSigner`. */
  signerType: string | null;
  /** JSON text; for a RemoteBunkerSigner `{ client_nsec, token, policy_id }`. */
  signerConfig: string | null;
  /** The private key of a LocalSigner, hex or nsec. */
  prvkey: string | null;
}

/**
 * The rows of one machine's state, each as the JSON text of an object with column names as keys: as text,
 * because a number loses digits when JavaScript reads it. Or the failure of this machine's document, if the
 * rows cannot be read.
 */
export type StateRows = readonly string[] | RepublishError;

export interface MachinePage {
  operatorUserId: string;
  /** Only machines after this id, in the order of the ids' UTF-8 bytes. */
  after?: string | undefined;
  machineIds?: readonly string[] | undefined;
  limit: number;
}

/** What is read, for a person. */
export interface SourceDescription {
  kind: 'postgres' | 'sqlite' | 'custom';
  /** Host, port and database, or the folder, or the name of a custom source. No user, no password. */
  where: string;
  /**
   * The preset in use. `queries`: every query that needs a preset is configured. Null: a custom source has no
   * tables.
   */
  preset: PresetName | 'queries' | null;
  /** Where its machines are, in words. The operator's id follows them. */
  machinesFrom: string;
}

/** Where the machines of an operator are searched, for a person who finds none. */
export function whereMachinesAre(
  { kind, where, machinesFrom }: SourceDescription,
  operatorUserId: string,
): string {
  if (kind === 'custom') return `${where}, ${machinesFrom} '${operatorUserId}'`;
  const database = kind === 'postgres' ? where : `SQLite in ${where}`;
  return `LNbits' database (${database}), ${machinesFrom} = '${operatorUserId}'`;
}

/**
 * LNbits' database, or a custom source in its place. It is only read.
 *
 * Every method throws RepublishError SourceUnavailable (retried) or SourceMisconfigured (final: a table,
 * column, right or preset is not as configured).
 */
export interface Source {
  describe(): Promise<SourceDescription>;
  account(operatorUserId: string): Promise<AccountRow | undefined>;
  /**
   * A page of the operator's machines, in the order of their ids. Inactive machines are included: they may
   * become active again.
   */
  machines(page: MachinePage): Promise<MachineRow[]>;
  /** The ids of all operators with a machine, or of `queries.operators`, in the order of the ids. */
  operators(page: { after?: string | undefined; limit: number }): Promise<string[]>;
  /**
   * The keys of the operator's machines that match one of `spellings`, ignoring case and blanks; one entry
   * per machine.
   */
  machineKeys(operatorUserId: string, spellings: readonly string[]): Promise<string[]>;
  /**
   * The states of several machines, one entry for each. No rows: no state.
   *
   * @param maxBytes of the state; rows with more than four times as many are StateTooLarge
   */
  states(
    documentType: string,
    machineIds: readonly string[],
    maxBytes: number,
  ): Promise<Map<string, StateRows>>;
  /** The account's own signer, by `queries.signer`. Needs more rights than everything else. */
  signer(operatorUserId: string): Promise<AccountSignerRow | undefined>;
  /**
   * Relays to which LNbits' nostrclient extension publishes. Undefined: it is not installed, or not readable.
   */
  nostrclientRelays(): Promise<string[] | undefined>;
  /**
   * The rights of its user, compared with what these roles need for the configured queries. Undefined: there
   * are no rights to check (SQLite, custom source).
   */
  rights(readers: readonly Reader[]): Promise<Rights | undefined>;
  close(): Promise<void>;
}

/**
 * A source in place of LNbits' database: an API, a file, another database. Give it to `runWorker({ source
 * })`, or name its module in `source` of the configuration. Workers and all commands only read it.
 *
 * Every answer is checked: a wrong one is `SourceMisconfigured` (final). So are rows that were not asked for.
 *
 * A page of up to 100 documents is read at once. Everything is read again shortly before it is signed and at
 * the end of a run: the same data must give the same answer. A call without an answer fails after 30 seconds.
 *
 * Every method may throw RepublishError `SourceUnavailable` (retried) or `SourceMisconfigured` (final). Any
 * other error counts as `SourceUnavailable`. Only its name and code are shown, since its message may quote a
 * secret.
 */
export interface CustomSource {
  /** Its name, for a person, such as `the fleet API at api.example.com`. No password. */
  readonly name: string;
  /** The account with its current public key (hex or npub). Undefined or null: there is no such account. */
  account(operatorUserId: string): Promise<AccountRow | null | undefined>;
  /**
   * At most `limit` machines of the operator with an id after `after`, in the order of the ids' UTF-8 bytes;
   * with `machineIds` only those. Fewer are allowed: it is asked again, after the last of them, until an
   * answer is empty. An id has 1 to 200 characters, without blanks or control characters.
   */
  machines(page: MachinePage): Promise<MachineRow[]>;
  /**
   * The rows of each machine's state, each row as the JSON text of an object: the document type makes its
   * document from them (docs/document-types.md). A row with the one key `state` is the document itself. No
   * entry, or no rows: the machine has no state. The rows are text because a number loses digits when
   * JavaScript reads it.
   *
   * An entry may be a RepublishError, as a rule `StateInvalid`: the state of that machine cannot be read. Any
   * other error counts as `StateInvalid`, without its message.
   */
  states(documentType: string, machineIds: readonly string[]): Promise<ReadonlyMap<string, StateRows>>;
  /**
   * At most `limit` ids of operators after `after`, in the order of their UTF-8 bytes, for fleets of all
   * operators and for `doctor`. Fewer are allowed, as in `machines`.
   * Absent: such a fleet has the operators with a stored signer.
   */
  operators?(page: { after?: string | undefined; limit: number }): Promise<string[]>;
  /** The account's own signer, for `signers: "lnbits"` in the configuration. Absent: it cannot be read. */
  signer?(operatorUserId: string): Promise<AccountSignerRow | null | undefined>;
  /** Called once, when the worker or the command ends, which waits five seconds for it at most. */
  close?(): void | Promise<void>;
}
