export { type DocumentType, defineDocumentType, type StateRow } from '../documents/document-type';
export { documentTypes } from '../documents/registry';
export { runWorker } from './run';
