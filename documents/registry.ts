import { bitspireCassettes } from './bitspire-cassettes';
import { bitspireFees } from './bitspire-fees';
import type { DocumentType } from './document-type';

/** Every document type this release republishes. Adding one: a file beside this one, and its line here. */
export const documentTypes: readonly DocumentType[] = [bitspireCassettes, bitspireFees];
