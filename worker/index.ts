export { createRepublishWorker, type RepublishWorker, type WorkerOptions } from './create-worker';
export { runWorker } from './run';
export { type DocumentType, defineDocumentType } from '../documents/document-type';
export { documentTypes } from '../documents/registry';
