import type { DocumentType } from './document-type';
import { documentTypes } from './registry';

export async function loadDocumentTypes(_modules: readonly string[]): Promise<readonly DocumentType[]> {
  return documentTypes;
}

export class DocumentTypesRefused extends Error {
  constructor(readonly problems: string[]) {
    super(problems.join('; '));
  }
}
