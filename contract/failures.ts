import { CALLER } from './catalogue/caller';
import { DATABASE } from './catalogue/database';
import { DOCUMENT } from './catalogue/document';
import type { Exit, FailureKind, Subject, Words } from './catalogue/kind';
import { RELAY } from './catalogue/relay';
import { SIGNER } from './catalogue/signer';
import { WORKER } from './catalogue/worker';
import { storable } from './free-text';

export type { Exit, FailureKind, Subject } from './catalogue/kind';

const CATALOGUE = { ...DOCUMENT, ...SIGNER, ...RELAY, ...DATABASE, ...WORKER, ...CALLER };

/** The `type` of everything that can go wrong: with a document, a run, a command or a call of the library. */
export type FailureType = keyof typeof CATALOGUE;

/** Failure types that have a trait. */
export type FailureTypeWith<Trait extends keyof FailureKind> = {
  [Type in FailureType]: (typeof CATALOGUE)[Type] extends Required<Pick<FailureKind, Trait>> ? Type : never;
}[FailureType];

/** The catalogue: every failure type with every trait. docs/errors.md is made from it. */
export const FAILURES: Readonly<Record<FailureType, Readonly<FailureKind>>> = CATALOGUE;

/**
 * A failure as data, for the workflow, the audit and the caller. The message holds no secret and no state.
 * The remedy and the name of the document are not part of it: they are shown next to it.
 */
export interface Failure {
  type: FailureType;
  message: string;
}

/** A document that could not be republished. */
export interface DocumentFailure extends Failure {
  documentType: string;
  machineId: string;
  /** As the operator calls it, at most 100 characters; its id, or absent: it has no name. */
  machineName?: string;
}

export function isFailureType(type: unknown): type is FailureType {
  return typeof type === 'string' && Object.hasOwn(FAILURES, type);
}

/** The failure type of an error, a row or a part of a history; `Unexpected` if it has none of ours. */
export function failureTypeOf(of: unknown): FailureType {
  const { type } = (of ?? {}) as { type?: unknown };
  return isFailureType(type) ? type : 'Unexpected';
}

/**
 * The traits of a type. A type that this build does not know (a newer build wrote it) has the traits of
 * `Unexpected`, so that a reader of old or new rows never throws.
 */
export function traitsOf(type: FailureType): Readonly<FailureKind> {
  return FAILURES[isFailureType(type) ? type : 'Unexpected'];
}

/** Every type that has a trait, in the order of the catalogue; with `value` only those that have it so. */
export function typesWith<Trait extends keyof FailureKind>(
  trait: Trait,
  value?: FailureKind[Trait],
): FailureType[] {
  return (Object.keys(FAILURES) as FailureType[]).filter((type) => {
    const found = FAILURES[type][trait];
    return value === undefined ? found !== undefined : found === value;
  });
}

/** What has happened, and what a person does about it. */
export function wordsFor(type: FailureType, subject: Subject): Words {
  const traits = traitsOf(type);
  return subject === 'run' ? traits : (traits.ofFleet ?? traits);
}

export function meaningOf(type: FailureType, subject: Subject = 'run'): string {
  return wordsFor(type, subject).meaning;
}

/** @param subject who has the failure: `run` (default), also for its documents, or the `fleet` itself */
export function remedyFor(type: FailureType, subject: Subject = 'run'): string {
  return wordsFor(type, subject).remedy;
}

export function scopeOf(type: FailureType): FailureKind['scope'] {
  return traitsOf(type).scope;
}

export function exitOf(type: FailureType): Exit {
  const { exit, scope } = traitsOf(type);
  return exit ?? (scope === 'signer' ? 'signer' : 'failed');
}

export function isRetryable(type: FailureType): boolean {
  return traitsOf(type).retryable === true;
}

/** What else is known of a failure that was thrown. */
export interface ErrorDetails {
  /**
   * When another attempt may go better: 0 to 24 hours from now. Default, also for any other value: as the
   * retry policy says.
   */
  retryAfterMs?: number | undefined;
  /** What to do about it, where the sentence of the catalogue does not fit. */
  remedy?: string | undefined;
  /** Of an error that Postgres itself has answered: its SQLSTATE. */
  sqlState?: string | undefined;
  /** The failure to which this one adds a name, such as that of a query. */
  cause?: RepublishError | undefined;
}

/** Longest message that is let into history: enough for a name, a cause and each relay's reason. */
const MAX_MESSAGE_LENGTH = 1000;

const MAX_RETRY_AFTER_MS = 24 * 60 * 60_000;

/**
 * Code of others calls the constructor, too. Temporal's worker ends when it cannot encode a pause (NaN,
 * Infinity, text), and a date in place of a pause would never be over.
 */
function pauseOf(ms: unknown): number | undefined {
  return typeof ms === 'number' && ms >= 0 && ms <= MAX_RETRY_AFTER_MS ? Math.ceil(ms) : undefined;
}

/**
 * The error that every room below the activities throws. It carries its catalogue type, so that nobody has to
 * guess from a message whether to retry.
 */
export class RepublishError extends Error {
  override readonly name = 'RepublishError';
  readonly retryAfterMs: number | undefined;
  readonly remedy: string;
  readonly sqlState: string | undefined;

  /** @param message cut to 1,000 characters */
  constructor(
    readonly type: FailureType,
    message: string,
    { retryAfterMs, remedy = remedyFor(type), sqlState, cause }: ErrorDetails = {},
  ) {
    // Cutting can leave half of a character.
    super(storable(message.slice(0, MAX_MESSAGE_LENGTH)), cause && { cause });
    this.retryAfterMs = pauseOf(retryAfterMs);
    this.remedy = remedy;
    this.sqlState = sqlState;
  }
}

/**
 * First detail of every ApplicationFailure that this package makes. Its message is for people who read
 * Temporal's UI, and ends with the remedy.
 */
export interface ReasonDetail {
  /** The message of the failure alone. */
  reason: string;
}

/** The bare reason in the details of an ApplicationFailure; undefined: it is none of ours. */
export function reasonIn(details: readonly unknown[] | null | undefined): string | undefined {
  const { reason } = (details?.[0] ?? {}) as Partial<ReasonDetail>;
  return typeof reason === 'string' ? reason : undefined;
}

/**
 * Turns anything that was thrown into an Error (nostr libraries reject with strings, Node with
 * AggregateError).
 */
export function ensureError(thrown: unknown): Error {
  if (thrown instanceof AggregateError && thrown.message === '') {
    return new Error(thrown.errors.map((inner) => ensureError(inner).message).join('; '), { cause: thrown });
  }
  if (thrown instanceof Error) return thrown;
  // An error of another realm is no instance of ours; an object without a prototype has no text, and asking
  // for it throws.
  if (typeof thrown !== 'object' || thrown === null) return new Error(String(thrown));
  const { message } = thrown as { message?: unknown };
  return new Error(typeof message === 'string' ? message : 'an object was thrown that is no error', {
    cause: thrown,
  });
}
