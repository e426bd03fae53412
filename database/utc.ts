/**
 * SQL for a timestamptz as ISO 8601 with milliseconds. Dates that pg makes depend on the time zone of the
 * process.
 */
export const utc = (column: string): string =>
  `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
