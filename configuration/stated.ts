import path from 'node:path';
import { parseLnbitsUrl } from '../sources/url';
import { gatherValues, readConfiguration } from './load';
import type { Configuration } from './schema';

/** What decides what a worker reads and where it publishes, each in one spelling. */
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

/** Of this process, only what its environment and its file state: a default contradicts nobody. */
export function statedSettings(): Settings {
  const values = gatherValues(process.env, process.cwd(), []);
  // What is wrong is told by the command that needs it.
  const settings = settingsOf(readConfiguration().configuration);
  const isLnbitsStated = values.lnbitsDatabaseUrl !== undefined || process.env.LNBITS_DATA_FOLDER?.trim();
  return Object.fromEntries(
    Object.entries(settings).filter(
      ([name, value]) => value !== '' && (name === 'lnbits' ? isLnbitsStated : values[name] !== undefined),
    ),
  );
}

/** The database, whoever logs in. */
function placeOf(text: string): string {
  const parsed = parseLnbitsUrl(text);
  if (parsed.kind === 'sqlite') return parsed.folder;
  if (!URL.canParse(parsed.url)) return parsed.url;
  const { hostname, port, pathname, search } = new URL(parsed.url);
  return `${hostname}:${port || '5432'}${pathname}${search}`;
}

function spelling(relay: string): string {
  return URL.canParse(relay) ? new URL(relay).href : relay;
}
