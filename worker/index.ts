/** Runs a worker, and the types of everything it can be given: document types, signer providers, a source. */
export { runWorker, type RunWorkerOptions } from './run';
export type { EndedRun } from '../activities/dependencies';
export { ConfigurationError } from '../configuration/load';
export { type Failure, type FailureType, RepublishError } from '../contract/failures';
export {
  type DocumentType,
  defineDocumentType,
  type StateRow,
  type StateSource,
} from '../documents/document-type';
export { documentTypes } from '../documents/registry';
export type { SignedEvent, UnsignedEvent } from '../nostr/events';
export type { SignerProvider } from '../nostr/signers/custom';
export type { Owner } from '../nostr/signers/operator-signers';
export type { Signer, SignerCall } from '../nostr/signers/signer';
export type {
  AccountRow,
  AccountSignerRow,
  CustomSource as Source,
  MachinePage,
  MachineRow,
  StateRows,
} from '../assembly/parts';
