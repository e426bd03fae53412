import { suggest } from './suggest';

/** What names a machine to a person: its name and its id, or the id alone where it has no name. */
export interface NamedMachine {
  machineId: string;
  /** As the operator calls it. Absent, or the id once more: it has none. */
  machineName?: string | undefined;
}

/** `Front desk (m1)`, or `m1`. */
export function machineOf({ machineId, machineName }: NamedMachine): string {
  return machineName === undefined || machineName === '' || machineName === machineId
    ? machineId
    : `${machineName} (${machineId})`;
}

/** `bitspire-fees of machine Front desk (m1)`. */
export function documentOf({ documentType, ...machine }: NamedMachine & { documentType: string }): string {
  return `${documentType} of machine ${machineOf(machine)}`;
}

/**
 * The order of ids in every list: that of the ledger, by their bytes in UTF-8 (COLLATE "C"), which is that of
 * code points. That of JavaScript is by halves of surrogate pairs, and puts an emoji before U+FB01.
 */
export function compareIds(one: string, other: string): number {
  const length = Math.min(one.length, other.length);
  for (let index = 0; index < length; index += 1) {
    const [a, b] = [one.charCodeAt(index), other.charCodeAt(index)];
    if (a !== b) return rank(a) - rank(b);
  }
  return one.length - other.length;
}

/** Halves of pairs stand for code points above all that are whole. */
function rank(unit: number): number {
  return unit < 0xd800 ? unit : unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}

/** Documents by machine, and those of one machine in the order of the types, or of their names. */
export function byMachineAndType(types: readonly string[] = []) {
  const indexOf = (type: string): number => (types.includes(type) ? types.indexOf(type) : types.length);
  return (
    one: { machineId: string; documentType: string },
    other: { machineId: string; documentType: string },
  ): number =>
    compareIds(one.machineId, other.machineId) ||
    indexOf(one.documentType) - indexOf(other.documentType) ||
    compareIds(one.documentType, other.documentType);
}

/**
 * ` (did you mean Front desk (m1)?)` behind an id that is not known, or nothing: by the ids that are, and by
 * the names, which people read first.
 */
export function meantMachine(word: string, known: readonly NamedMachine[]): string {
  const named = known.find(({ machineName }) => machineName?.toLowerCase() === word.toLowerCase());
  const id = suggest(
    word,
    known.map(({ machineId }) => machineId),
  );
  const meant = named ?? known.find(({ machineId }) => machineId === id);
  return meant === undefined ? '' : ` (did you mean ${machineOf(meant)}?)`;
}
