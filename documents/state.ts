import type { DocumentType, StateRow } from './document-type';

export interface SerialisedState {
  plaintext: string;
  resets?: string;
}

export function serialiseState(
  type: DocumentType,
  rows: readonly string[],
  _maxBytes: number,
): SerialisedState | undefined {
  if (rows.length === 0) return undefined;
  const parsed = rows.map((row) => JSON.parse(row) as StateRow).map(({ machine_id: _, ...row }) => row);
  return { plaintext: JSON.stringify(type.assemble(parsed)) };
}
