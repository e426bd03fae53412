import path from 'node:path';
import { parseLnbitsUrl } from '../sources/url';
import { gatherValues, readConfiguration } from './load';
import type { Configuration } from './schema';
import { parsedUrl } from '../rules/url';

/** The settings that decide what a worker reads and where it publishes, in one spelling each. */
export interface Settings {
  lnbits?: string;
  preset?: string;
  relays?: string;
  signers?: string;
  documentTypes?: string;
  dataConverter?: string;
}

export function settingsOf(configuration: Configuration): Required<Settings> {
  const { lnbitsDatabaseUrl, preset, relays, signers, documentTypes, dataConverter = '' } = configuration;
  return {
    lnbits: lnbitsDatabaseUrl === undefined ? '' : placeOf(lnbitsDatabaseUrl),
    preset,
    relays: relays.map(spelling).sort().join('\n'),
    signers,
    documentTypes: [...documentTypes].sort().join('\n'),
    dataConverter: dataConverter && path.resolve(dataConverter),
  };
}

/** Only what the environment and the file of this process set: a default contradicts nobody. */
export function statedSettings(): Settings {
  const values = gatherValues(process.env, process.cwd(), []);
  // The command that needs a wrong key reports it.
  const settings = settingsOf(readConfiguration().configuration);
  const isLnbitsStated = values.lnbitsDatabaseUrl !== undefined || process.env.LNBITS_DATA_FOLDER?.trim();
  return Object.fromEntries(
    Object.entries(settings).filter(
      ([name, value]) => value !== '' && (name === 'lnbits' ? isLnbitsStated : values[name] !== undefined),
    ),
  );
}

/** The database without the user. */
function placeOf(text: string): string {
  const parsed = parseLnbitsUrl(text);
  if (parsed.kind === 'sqlite') return parsed.folder;
  const url = parsedUrl(parsed.url);
  if (url === undefined) return parsed.url;
  const { hostname, port, pathname, search } = url;
  return `${hostname}:${port || '5432'}${pathname}${search}`;
}

function spelling(relay: string): string {
  return parsedUrl(relay)?.href ?? relay;
}
