import type { StateRow } from './document-type';

/** The newest time; `never`: no row has one; `unknown`: a time cannot be read. */
export type LastTime = Date | 'never' | 'unknown';

/**
 * The newest time in a column. LNbits stores times as timestamps (Postgres) or as Unix seconds, number or
 * text (SQLite). A time without a zone counts as UTC (an assumption: in Postgres it has the zone of the
 * server's session).
 */
export function lastTime(rows: readonly StateRow[], column: string): LastTime {
  if (!rows.some((row) => Object.hasOwn(row, column))) return 'unknown';
  const given = rows.map((row) => row[column]).filter((value) => value != null);
  if (given.length === 0) return 'never';
  const times = given.map(timeMs);
  // An unreadable time may be the newest.
  return times.every(isTime) ? new Date(Math.max(...times)) : 'unknown';
}

/** The last moment with a year of four digits. */
const MAX_TIME_MS = Date.UTC(9999, 11, 31);

function isTime(time: number): boolean {
  return time >= 0 && time <= MAX_TIME_MS;
}

function timeMs(value: unknown): number {
  if (typeof value === 'number') return value * 1000;
  if (typeof value !== 'string') return NaN;
  const text = value.trim();
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  const match = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)\s*(Z|[+-]\d\d(?::?\d\d)?)?$/i.exec(
    text,
  );
  if (match === null) return NaN;
  const [, date, time, zone = 'Z'] = match;
  return Date.parse(`${date}T${time}${zoneText(zone)}`);
}

/** Postgres writes `+00`, ISO 8601 requires `+00:00`. */
function zoneText(zone: string): string {
  if (zone.toUpperCase() === 'Z') return 'Z';
  const digits = zone.replace(':', '').padEnd(5, '0');
  return `${digits.slice(0, 3)}:${digits.slice(3)}`;
}
