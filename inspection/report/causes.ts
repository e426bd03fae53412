import { traitsOf, wordsFor } from '../../contract/failures';
import { documentOf, type NamedMachine } from '../../rules/machine-name';
import { forOperator } from '../../rules/shell';
import type { Cause } from './model';

const MAX_REASONS = 20;
const MAX_EXAMPLES = 3;

/** A document or operator that has a failure. */
export interface Sufferer {
  type: Cause['type'];
  message: string;
  /** Of the machine, or of the operator. */
  id: string;
  name: string;
  isOpen?: boolean;
}

/** A document with a failure. */
export function suffering(
  document: NamedMachine & { documentType: string },
  { type, message, isOpen = false }: Omit<Sufferer, 'id' | 'name'>,
): Sufferer {
  return {
    type,
    message,
    id: document.machineId,
    name: documentOf(document),
    isOpen,
  };
}

/**
 * Groups failures by their cause: first what ended the run, then by frequency, and last the failures that
 * only follow from another.
 *
 * @param ofAll what ended or blocks the run
 * @param operatorUserId goes into the commands of the remedies. Absent: a placeholder
 */
export function causesOf(
  sufferers: readonly Sufferer[],
  ofAll: { type: Cause['type']; message: string } | null = null,
  operatorUserId?: string,
): Cause[] {
  const groups = new Map<Cause['type'], Map<string, Sufferer[]>>();
  if (ofAll !== null) groups.set(ofAll.type, new Map());
  for (const sufferer of sufferers) {
    const { type, message } = sufferer;
    const reasons = groups.get(type) ?? new Map<string, Sufferer[]>();
    groups.set(type, reasons);
    const same = reasons.get(message);
    if (same === undefined) reasons.set(message, [sufferer]);
    else same.push(sufferer);
  }
  const causes = [...groups].map(([type, byMessage]): Cause => {
    const isOfAll = type === ofAll?.type;
    const { meaning, remedy } = wordsFor(type, isOfAll && operatorUserId === undefined ? 'fleet' : 'run');
    const all = [...byMessage.values()].flat();
    const reasons = [...byMessage]
      .map(([text, same]) => ({
        text,
        count: same.length,
        examples: same.slice(0, MAX_EXAMPLES).map(({ id, name }) => ({ id, name })),
      }))
      .sort((a, b) => b.count - a.count);
    const own = isOfAll && !byMessage.has(ofAll.message);
    return {
      type,
      meaning,
      remedy: forOperator(remedy, operatorUserId),
      isOfAll,
      failed: all.filter(({ isOpen }) => isOpen !== true).length,
      open: all.filter(({ isOpen }) => isOpen === true).length,
      reasons: [...(own ? [{ text: ofAll.message, count: 0, examples: [] }] : []), ...reasons].slice(
        0,
        MAX_REASONS,
      ),
      reasonsInAll: reasons.length + (own ? 1 : 0),
    };
  });
  return causes.sort((a, b) => rank(a) - rank(b) || b.failed + b.open - a.failed - a.open);
}

function rank({ type, isOfAll }: Cause): number {
  if (isOfAll) return 0;
  return traitsOf(type).decidedBy === 'run' ? 2 : 1;
}
