/** A name as an SQL identifier, in Postgres and in SQLite. */
export function sqlIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
