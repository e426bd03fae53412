import { pagesOf } from '../async/pages';
import type { MachinePage, MachineRow, Source } from './source';

/** An operator's machines, or those of them that are named, a page at a time. */
export function machinePages(
  source: Pick<Source, 'machines'>,
  { operatorUserId, machineIds }: Pick<MachinePage, 'operatorUserId' | 'machineIds'>,
  limit: number,
): AsyncGenerator<MachineRow[]> {
  return pagesOf<MachineRow>(limit, (last) =>
    source.machines({ operatorUserId, machineIds, after: last?.id, limit }),
  );
}
