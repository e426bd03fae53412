import type { Section } from './terminal/table';

interface OfMachine {
  machineId: string;
  documentType: string;
}

/** Documents as sections of a table, one for each machine, in the order in which they come. */
export function byMachine<T extends OfMachine & { machineName: string }>(
  documents: readonly T[],
  row: (document: T) => string[],
): Section[] {
  const sections = new Map<string, Section>();
  for (const document of documents) {
    const { machineId, machineName } = document;
    const heading = machineName === machineId ? machineId : `${machineName} (${machineId})`;
    const section = sections.get(machineId) ?? { heading, rows: [] };
    sections.set(machineId, section);
    section.rows.push(row(document));
  }
  return [...sections.values()];
}

/** A failure's message where the table has said already of which document it is. */
export function withoutName(message: string, { documentType, machineId }: OfMachine): string {
  return message
    .replace(`${documentType} of machine ${machineId}: `, '')
    .replace(` of machine ${machineId}`, '');
}
