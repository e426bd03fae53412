import { type FailureType, isRetryable, RepublishError } from '../../contract/failures';
import type { RelayStanding } from '../../contract/relay-standing';
import type { OpenDocument } from '../../database/ledger/page';
import type { SealedEvent } from '../../database/ledger/documents';
import { DOCUMENT_KIND, dTag } from '../../documents/document-type';
import type { Address } from '../../nostr/events';
import type { Seen, Sent } from '../../nostr/relays/seen';

/**
 * A document of a page while an attempt works on it. The ledger decides; this is what the attempt knows in
 * addition.
 */
export interface PageDocument {
  readonly row: OpenDocument;
  readonly address: Address;
  /** What the relays had at the address at the last look. */
  seen?: Seen;
  /** The sealed event, as the ledger has it. */
  event: SealedEvent | null;
  signature: string | null;
  /** An earlier run signed the event. */
  reused: boolean;
  /**
   * Its seal was replaced, or is about to be, since relays refuse its reused event. That happens once at
   * most.
   */
  resealed: boolean;
  /** The id of the refused event that the next seal replaces. */
  replaces?: string;
  /** What each relay answered to the event. Absent: this attempt has not sent it. */
  sent?: Promise<Sent>;
  /** How often this attempt encrypted it. */
  encryptions?: number;
  /** The failure of its last try in this attempt. */
  trouble?: Trouble;
  /** It has an outcome: it stands (`well`), or another attempt or a person decided otherwise. */
  ended?: 'well' | 'otherwise';
  /** What it waits for now. Only for display. */
  waitsFor?: string;
}

/** The failure of one try, passing or final. */
export interface Trouble {
  type: FailureType;
  message: string;
  /** No further attempt can help. */
  final: boolean;
  /** When another attempt may succeed, where that is known. */
  retryAfterMs?: number | undefined;
  /** The document only has to wait. It is shown as waiting, and its time in trouble does not run. */
  isWait?: true;
  /** The signer answered this document's question, and the answer cannot be used. */
  isAnswered?: boolean;
  relays?: Record<string, RelayStanding>;
}

export function pageDocument(row: OpenDocument, operatorPubkey: string, documentType: string): PageDocument {
  return {
    row,
    // A document without a key is never open for long: it fails before the look.
    address: { kind: DOCUMENT_KIND, pubkey: operatorPubkey, d: dTag(documentType, row.atmPubkey ?? '') },
    event: row.event,
    signature: row.signature,
    reused: row.reused,
    resealed: row.resealed,
  };
}

/** It is signed, has no outcome, and keeps its seal. */
export function isSigned({ signature, replaces, ended }: PageDocument): boolean {
  return signature !== null && replaces === undefined && !ended;
}

/** The trouble of one document, from a failure. */
export function troubleOf({ type, message, retryAfterMs }: RepublishError): Trouble {
  return { type, message, final: !isRetryable(type), retryAfterMs };
}

/** The same for anything that was thrown. @throws it again, where it is no RepublishError */
export function asTrouble(thrown: unknown): Trouble {
  if (!(thrown instanceof RepublishError)) throw thrown;
  return troubleOf(thrown);
}

/** The abort reason when a page yields. It is no trouble of the documents that waited. */
export const YIELD = new Error('the page yields');
