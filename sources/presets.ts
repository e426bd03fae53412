/**
 * Installations whose tables are known. LNbits gives each extension a schema (Postgres) or a file `ext_<schema>.sqlite3` (SQLite),
 * so that one name says where its tables are in both.
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
