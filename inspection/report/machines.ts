import { type Counts, isGivenUp, isGood, noCounts, type WaitingDocument } from '../../contract/progress';
import type { ReportedDocument } from '../../database/ledger/report';
import type { Grade, MachineReport, RelayReport, RunReport } from './model';

/** Documents of one machine, in the order of the document types; machines in the order of the documents. */
export function machinesOf(
  documents: readonly ReportedDocument[],
  documentTypes: readonly string[],
  waiting: readonly WaitingDocument[],
): MachineReport[] {
  const why = new Map(waiting.map((each) => [keyOf(each), each.why]));
  const machines = new Map<string, MachineReport>();
  for (const { machineId, machineName, ...document } of documents) {
    const machine = machines.get(machineId) ?? { machineId, machineName, grade: 'nothing', documents: [] };
    machines.set(machineId, machine);
    const waitsFor = document.outcome === null ? (why.get(keyOf({ machineId, ...document })) ?? null) : null;
    machine.documents.push({ ...document, waitsFor });
  }
  const order = new Map(documentTypes.map((type, index) => [type, index]));
  const placeOf = (type: string): number => order.get(type) ?? order.size;
  for (const machine of machines.values()) {
    machine.documents.sort((a, b) => placeOf(a.documentType) - placeOf(b.documentType));
    machine.grade = gradeOf(machine.documents);
  }
  return [...machines.values()];
}

function keyOf({ documentType, machineId }: { documentType: string; machineId: string }): string {
  return JSON.stringify([documentType, machineId]);
}

function gradeOf(documents: MachineReport['documents']): Grade {
  if (documents.some(isWrong)) return 'wrong';
  if (documents.some(({ outcome }) => outcome === null)) return 'open';
  return documents.some(({ outcome }) => isGood(outcome)) ? 'good' : 'nothing';
}

/** Failed, in trouble, or skipped by a person. A document without state is not wrong. */
function isWrong({ outcome, failureType }: MachineReport['documents'][number]): boolean {
  return outcome === 'failed' || (failureType !== null && !isGood(outcome));
}

/** Counts of all documents, and by type. Types without a document are included. */
export function countsOf(
  documents: readonly ReportedDocument[],
  documentTypes: readonly string[],
): Pick<RunReport, 'counts' | 'byType'> {
  const none = (): Counts & { open: number } => ({ ...noCounts(), open: 0 });
  const counts = none();
  const byType = new Map(documentTypes.map((type) => [type, none()]));
  for (const { documentType, outcome, failureType } of documents) {
    const ofType = byType.get(documentType) ?? none();
    byType.set(documentType, ofType);
    for (const sum of [counts, ofType]) {
      sum[outcome ?? 'open'] += 1;
      if (outcome !== 'skipped') sum.planned += 1;
      if (isGivenUp({ outcome, failureType })) sum.givenUp += 1;
    }
  }
  return { counts, byType: Object.fromEntries(byType) };
}

/** The last known state of each relay, ordered by address. */
export function relaysOf(documents: readonly ReportedDocument[]): RelayReport[] {
  const relays = new Map<string, { holds: number; others: Map<string, RelayReport['others'][number]> }>();
  for (const document of documents) {
    for (const [relay, { state, detail = '' }] of Object.entries(document.relays)) {
      const told = relays.get(relay) ?? { holds: 0, others: new Map() };
      relays.set(relay, told);
      if (state === 'holds') told.holds += 1;
      else {
        // For a newer event the detail is an event id, which differs for every document and cannot be
        // counted.
        const words = state === 'newer' ? '' : detail;
        const same = told.others.get(`${state} ${words}`) ?? { state, detail: words, count: 0 };
        told.others.set(`${state} ${words}`, same);
        same.count += 1;
      }
    }
  }
  return [...relays]
    .map(([relay, { holds, others }]) => ({
      relay,
      holds,
      others: [...others.values()].sort((a, b) => b.count - a.count),
    }))
    .sort((a, b) => (a.relay < b.relay ? -1 : 1));
}
