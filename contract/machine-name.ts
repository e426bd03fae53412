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
 * The order of ids in every list: that of the ledger, by their bytes in UTF-8 (COLLATE "C"), which is the order
 * of code points. That of JavaScript is by halves of surrogate pairs, and puts an emoji before U+FB01.
 */
export function compareIds(one: string, other: string): number {
  const [a, b] = [[...one], [...other]];
  const at = a.findIndex((character, index) => character !== b[index]);
  if (at === -1) return a.length - b.length;
  return (a[at]?.codePointAt(0) ?? 0) - (b[at]?.codePointAt(0) ?? -1);
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
