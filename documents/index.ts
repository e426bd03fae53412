/** For modules with your own document types: docs/document-types.md. */
export { z } from 'zod';
export { RepublishError } from '../contract/failures';
export {
  defineDocumentType,
  type DocumentType,
  type ResetWarning,
  type StateRow,
  type StateSource,
} from './document-type';
export { documentTypes } from './registry';
