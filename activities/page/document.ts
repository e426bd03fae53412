import { type FailureType, isRetryable, RepublishError } from '../../contract/failures';
import type { RelayStanding } from '../../contract/relay-standing';
import type { OpenDocument } from '../../database/ledger/page';
import type { SealedEvent } from '../../database/ledger/documents';
import { DOCUMENT_KIND, dTag } from '../../documents/document-type';
import type { Address } from '../../nostr/events';
import type { Seen, Sent } from '../../nostr/relays/seen';

/**
 * A document of a page while an attempt works on it. What counts is in the ledger; this is what the attempt
 * knows beside.
 */
export interface PageDocument {
  readonly row: OpenDocument;
  readonly address: Address;
  /** What the relays had there when they were asked last. */
  seen?: Seen;
  /** The event of the ledger. */
  event: SealedEvent | null;
  signature: string | null;
  /** The event was signed by an earlier run. */
  reused: boolean;
  /** It has the one exception to a seal behind it, or is about to: relays refuse its reused event. */
  resealed: boolean;
  /** The refused event that the next seal takes the place of. */
  replaces?: string;
  /** What each relay answered to the event; absent: it was not sent in this attempt. */
  sent?: Promise<Sent>;
  /** How often it was encrypted in this attempt. */
  encryptions?: number;
  /** Why this attempt could not bring it to its end. */
  trouble?: Trouble;
  /**
   * It has an outcome: the document stands (`well`), or another attempt or a person has decided otherwise.
   */
  ended?: 'well' | 'otherwise';
  /** What it waits for at this moment; shown and nothing else. */
  waitsFor?: string;
}

/** Why an attempt could not bring a document to its end. */
export interface Trouble {
  type: FailureType;
  message: string;
  /** No further attempt can mend it. */
  final: boolean;
  /** When another attempt may go better, where somebody knows. */
  retryAfterMs?: number | undefined;
  /**
   * It only has to wait: it is shown as waiting, and the time for which a document may be in trouble does not
   * run.
   */
  isWait?: true;
  /** The signer has answered this document's question, with what cannot be used. */
  isAnswered?: boolean;
  relays?: Record<string, RelayStanding>;
}

export function pageDocument(row: OpenDocument, operatorPubkey: string, documentType: string): PageDocument {
  return {
    row,
    // A document without a key is never open for long: it fails before it is looked for.
    address: { kind: DOCUMENT_KIND, pubkey: operatorPubkey, d: dTag(documentType, row.atmPubkey ?? '') },
    event: row.event,
    signature: row.signature,
    reused: row.reused,
    resealed: row.resealed,
  };
}

/** It has its signature, and is neither at its end nor to be sealed anew. */
export function isSigned({ signature, replaces, ended }: PageDocument): boolean {
  return signature !== null && replaces === undefined && !ended;
}

/** What a failure comes to for one document. */
export function troubleOf({ type, message, retryAfterMs }: RepublishError): Trouble {
  return { type, message, final: !isRetryable(type), retryAfterMs };
}

/** The same for whatever was thrown. @throws it again, where it is no RepublishError */
export function asTrouble(thrown: unknown): Trouble {
  if (!(thrown instanceof RepublishError)) throw thrown;
  return troubleOf(thrown);
}

/** The reason of a turn that is given up: no trouble of the document that waited for it. */
export const YIELD = new Error('the page yields');
