/*
 * The audit chain: each row holds the hash of its members in the ledger (the row of a run and its documents,
 * the row of a fleet and its operators) and the hash of the row before it. Writing a row and checking a row
 * use these same functions.
 *
 * A hash is SHA-256, in hex, of UTF-8 text: a line that names what is hashed, a line feed, and one JSON value
 * in its canonical form (RFC 8785): no spaces, keys sorted, every control character escaped. So no two values
 * have one text, and nothing depends on a locale, a time zone or the encoding of the database. The form is
 * in docs/operations.md, so that a chain can be checked without this program.
 */

/** SHA-256 of the UTF-8 bytes of a text, in hex. Given, since rules/ has nothing of Node. */
export type Sha256 = (text: string) => string;

/** Whose rows make a chain: those of one operator, or those of all fleets. */
export type ChainKind = 'run' | 'fleet';

/** What links a row to its chain. */
export interface Link {
  /** 1, 2, 3, ... */
  position: number;
  /** Null in the first row. */
  previousHash: string | null;
  /** Of the rows of the members in the ledger. */
  membersHash: string;
  hash: string;
}

/**
 * Canonical JSON. What JSON has no word for does not come from a database; it is written so that it equals
 * nothing.
 */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const object = value as Record<string, unknown>;
    const members = Object.keys(object)
      .sort()
      .map((key) => `${JSON.stringify(key)}:${canonical(object[key])}`);
    return `{${members.join(',')}}`;
  }
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : JSON.stringify(value);
}

function hashOf(sha256: Sha256, what: string, value: unknown): string {
  return sha256(`republish-operator-configs ${what} 1\n${canonical(value)}`);
}

/** Of one member: a row of the ledger, by the names of its columns. */
export function memberHash(sha256: Sha256, kind: ChainKind, member: object): string {
  return hashOf(sha256, `${kind} member`, member);
}

/**
 * The hash of all members, from their hashes in any order: each member is there once, with its key.
 */
export function membersHash(sha256: Sha256, kind: ChainKind, hashes: readonly string[]): string {
  return hashOf(sha256, `${kind} members`, hashes.toSorted());
}

/** Of a row: all of its values, and its links without its own hash. */
export function rowHash(sha256: Sha256, kind: ChainKind, row: object): string {
  return hashOf(sha256, `${kind} row`, row);
}

/** Where the next row goes. */
export function nextLink(newest: Pick<Link, 'position' | 'hash'> | undefined): {
  position: number;
  previousHash: string | null;
} {
  return { position: (newest?.position ?? 0) + 1, previousHash: newest?.hash ?? null };
}

/** What does not fit of a row. */
export type Misfit =
  /** The row is not the one that was written: another value, or a hash that is none of its. */
  | 'row changed'
  /** It is as it was written, at another place of the chain. */
  | 'order changed'
  /** Rows that stood before it are gone. */
  | 'rows missing'
  /** It was not written behind the row that stands before it now. */
  | 'row before it replaced'
  /** The ledger has other rows of its members. */
  | 'members changed';

/** What a check computes again about a row. */
export interface Found {
  /** The hash that the row would have at a position. */
  hashAt(position: number): string;
  membersHash: string;
  /** How many rows the chain has: so far a row can have been moved. */
  rows: number;
}

/** Whether a row follows the one before it, which fits. */
export function misfitOf(
  previous: Pick<Link, 'position' | 'hash'> | undefined,
  row: Link,
  found: Found,
): Misfit | undefined {
  const next = nextLink(previous);
  if (found.hashAt(row.position) !== row.hash) return wasMoved(row, found) ? 'order changed' : 'row changed';
  if (row.position !== next.position) return row.position > next.position ? 'rows missing' : 'order changed';
  if (row.previousHash !== next.previousHash) return 'row before it replaced';
  if (row.membersHash !== found.membersHash) return 'members changed';
  return undefined;
}

function wasMoved({ position, hash }: Link, { hashAt, rows }: Found): boolean {
  for (let place = 1; place <= rows; place += 1)
    if (place !== position && hashAt(place) === hash) return true;
  return false;
}
