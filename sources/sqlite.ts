import type { PresetName } from './presets';
import type { SourceQueries } from './queries';
import type { Source } from './source';

export function openSqliteSource(_options: {
  folder: string;
  preset: PresetName | 'auto';
  queries: SourceQueries;
}): Source {
  throw new Error('stub');
}
