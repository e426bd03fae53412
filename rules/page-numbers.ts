import type { OpenedRun, RunLimits } from '../contract/activities';

/**
 * Where a document stands: machines in the order of their ids, in blocks of `documentsPerPage`; each block
 * has one page for each document type, numbered from 0 in the order of `documentTypes`.
 */
export function pageOf(
  { documentTypes, limits }: Pick<OpenedRun, 'documentTypes' | 'limits'>,
  machineIndex: number,
  typeIndex: number,
): number {
  return Math.floor(machineIndex / limits.documentsPerPage) * documentTypes.length + typeIndex;
}

export interface PageContent {
  documentType: string;
  from: number;
  to: number;
}

/** The document type of a page, and its machines, counted from 1. */
export function contentOf(
  {
    documentTypes,
    limits,
  }: Pick<OpenedRun, 'documentTypes'> & { limits: Pick<RunLimits, 'documentsPerPage'> },
  page: number,
  machines: number,
): PageContent {
  const block = Math.floor(page / documentTypes.length);
  return {
    documentType: documentTypes[page % documentTypes.length] ?? '',
    from: block * limits.documentsPerPage + 1,
    to: Math.min((block + 1) * limits.documentsPerPage, machines),
  };
}
