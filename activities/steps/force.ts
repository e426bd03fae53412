import { requireType } from './read-state';
import type { ReadOnlyDependencies } from '../dependencies';

/** What a run is to sign again although the document stands unchanged. */
export interface Forced {
  force?: boolean | undefined;
  /** Types that reset counts of their machine are forced only with this, too. */
  resetCounts?: boolean | undefined;
}

/** Whether a document of this type is signed again although it stands unchanged. */
export function isForced(
  deps: Pick<ReadOnlyDependencies, 'documentTypes'>,
  documentType: string,
  { force = false, resetCounts = false }: Forced,
): boolean {
  return force && (resetCounts || requireType(deps, documentType).resetsMachineState === undefined);
}
