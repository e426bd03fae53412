import { RepublishError } from '../contract/failures';

/**
 * The known table names of the extensions. LNbits gives each extension a schema in Postgres, or a file
 * `ext_<schema>.sqlite3` in SQLite. So one name is enough for both.
 */
export const PRESETS = {
  /** The current extension. */
  spirekeeper: { schema: 'spirekeeper' },
  /** Its predecessor. It has the same tables in another schema. */
  satmachineadmin: { schema: 'satoshimachine' },
} as const satisfies Record<string, { schema: string }>;

export type PresetName = keyof typeof PRESETS;

export const PRESET_NAMES = Object.keys(PRESETS) as PresetName[];

/** The table of the machines. A schema with this table is the schema of a preset. */
export const MACHINES_TABLE = 'dca_machines';

/**
 * The preset to use.
 *
 * @param present the presets whose tables exist
 * @param where the database, for the message
 * @throws RepublishError SourceMisconfigured: no preset fits, or several do
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
      `${where} has the tables of ${present.join(' and of ')}: ` +
        'say which one is in use with "preset" (REPUBLISH_PRESET)',
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
