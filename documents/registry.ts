import { bitspireCassettes } from './bitspire-cassettes';
import { bitspireFees } from './bitspire-fees';
import type { DocumentType } from './document-type';

/** Every document type of this release. To add one: a file in this folder, and a line here. */
export const documentTypes: readonly DocumentType[] = [bitspireCassettes, bitspireFees];
