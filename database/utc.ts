/** A timestamptz as ISO 8601, as SQL: a driver's dates depend on the time zone of whoever asks. */
export const utc = (column: string): string =>
  `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
