import { requireType } from './read-state';
import type { ReadOnlyDependencies } from '../dependencies';

/** What a run is asked to sign anew although it stands unchanged. */
export interface Forced {
  force?: boolean | undefined;
  /** Types that set what their machine counts itself are only forced with this, too. */
  resetCounts?: boolean | undefined;
}

/** Whether a document of a type is signed anew even where it stands unchanged. */
export function isForced(
  deps: Pick<ReadOnlyDependencies, 'documentTypes'>,
  documentType: string,
  { force = false, resetCounts = false }: Forced,
): boolean {
  return force && (resetCounts || requireType(deps, documentType).resetsMachineState === undefined);
}
