/** A name as an SQL identifier. Postgres and SQLite quote in the same way. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
