/** For modules with document types of one's own: see "Adding a document type" in the README. */
export { z } from 'zod';
export { RepublishError } from '../contract/failures';
export { defineDocumentType, type DocumentType, type StateRow, type StateSource } from './document-type';
export { documentTypes } from './registry';
