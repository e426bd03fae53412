import { RepublishError } from '../contract/failures';

/**
 * Installations whose tables are known. LNbits gives each extension a schema (Postgres) or a file
 * `ext_<schema>.sqlite3` (SQLite), so that one name says where its tables are in both.
 */
export const PRESETS = {
  /** The extension today. */
  spirekeeper: { schema: 'spirekeeper' },
  /** Its predecessor: the same tables under an older name. */
  satmachineadmin: { schema: 'satoshimachine' },
} as const satisfies Record<string, { schema: string }>;

export type PresetName = keyof typeof PRESETS;

export const PRESET_NAMES = Object.keys(PRESETS) as PresetName[];

/** By which a preset's schema is recognised. */
export const MACHINES_TABLE = 'dca_machines';

/**
 * @param present presets whose tables are there
 * @throws RepublishError SourceMisconfigured
 */
export function choosePreset(
  wanted: PresetName | 'auto',
  present: readonly PresetName[],
  where: string,
): PresetName {
  if (wanted !== 'auto') {
    if (present.includes(wanted)) return wanted;
    throw misconfigured(`${where} has no table ${tableOf(wanted)} of the preset ${wanted}`);
  }
  const [only, ...others] = present;
  if (only === undefined) {
    const looked = PRESET_NAMES.map((name) => `${tableOf(name)} (${name})`).join(' nor ');
    throw misconfigured(
      `${where} has neither ${looked}: is it LNbits' database, and is the extension installed?`,
    );
  }
  if (others.length > 0) {
    throw misconfigured(
      `${where} has the tables of ${present.join(' and of ')}: say which one is in use with "preset" (REPUBLISH_PRESET)`,
    );
  }
  return only;
}

function tableOf(preset: PresetName): string {
  return `${PRESETS[preset].schema}.${MACHINES_TABLE}`;
}

function misconfigured(message: string): RepublishError {
  return new RepublishError('SourceMisconfigured', message);
}
