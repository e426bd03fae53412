import type { Listing, ListingInput, NumberedDocuments, PlannedMachine } from '../../contract/activities';
import type { PlanRow } from '../../database/ledger/interventions';
import type { MachineRow } from '../../sources/source';

type Machine = Pick<MachineRow, 'id' | 'name'>;
type Row = Pick<PlanRow, 'number' | 'machineId' | 'documentType'>;

/** Lists documents without an outcome, by machine in the order of `machines`, in the form that was asked for. */
export function listingOf({ numbered }: ListingInput, machines: Machine[], rows: Row[]): Listing {
  const open = new Map<string, Row[]>();
  for (const row of rows) {
    const ofMachine = open.get(row.machineId);
    if (ofMachine === undefined) open.set(row.machineId, [row]);
    else ofMachine.push(row);
  }
  const listed = machines.flatMap(({ id, name }) => {
    const documents = open.get(id);
    return documents === undefined ? [] : [{ machineId: id, name: name ?? id, documents }];
  });
  return numbered === true ? { machines: [], numbered: byNumber(listed) } : { machines: listed.map(byType) };
}

interface Listed {
  machineId: string;
  name: string;
  documents: Row[];
}

function byType({ machineId, name, documents }: Listed): PlannedMachine {
  return { machineId, name, documentTypes: documents.map(({ documentType }) => documentType) };
}

function byNumber(listed: Listed[]): NumberedDocuments {
  // Sorted: a page is worked on in the ledger's order of machine and type.
  const documentTypes = [
    ...new Set(listed.flatMap(({ documents }) => documents.map(({ documentType }) => documentType))),
  ].sort();
  return {
    documentTypes,
    machines: listed.map(({ machineId, name, documents }) => {
      const numbers = new Map(documents.map(({ documentType, number }) => [documentType, number]));
      return [machineId, name, ...documentTypes.map((type) => numbers.get(type) ?? 0)];
    }),
  };
}
