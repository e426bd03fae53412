import { pagesOf } from '../async/pages';
import type { MachinePage, MachineRow, Source } from './source';

/** The machines of an operator, or those with these ids, in batches of `limit`. */
export function machinePages(
  source: Pick<Source, 'machines'>,
  { operatorUserId, machineIds }: Pick<MachinePage, 'operatorUserId' | 'machineIds'>,
  limit: number,
): AsyncGenerator<MachineRow[]> {
  return pagesOf<MachineRow>(limit, (last) =>
    source.machines({ operatorUserId, machineIds, after: last?.id, limit }),
  );
}
