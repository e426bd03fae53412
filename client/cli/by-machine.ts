import { compareIds, machineOf } from '../../rules/machine-name';
import type { Section } from './terminal/table';

interface OfMachine {
  machineId: string;
  documentType: string;
}

/** Sections of a table: one for each machine, sorted by the id of the machine. */
export function byMachine<T extends OfMachine & { machineName: string }>(
  documents: readonly T[],
  row: (document: T) => string[],
): Section[] {
  const sections = new Map<string, Section>();
  for (const document of documents.toSorted((a, b) => compareIds(a.machineId, b.machineId))) {
    const section = sections.get(document.machineId) ?? { heading: machineOf(document), rows: [] };
    sections.set(document.machineId, section);
    section.rows.push(row(document));
  }
  return [...sections.values()];
}
