/** How long a signer is expected to take for a document: one encryption and one signature. */
export interface SignerSpeed {
  msPerDocument: number;
  /** It answered all requests of the trial at the same time, so it may be faster with more of them. */
  atMost: boolean;
}

/** How long a signer took when it was tried, in milliseconds. */
export interface TrialTimes {
  encryptMs: number;
  signMs: number;
  /**
   * Requests that were sent at the same time, half of them encryptions and half signatures, and the time
   * until the last answer.
   */
  together?: { requests: number; tookMs: number } | undefined;
}

export function speedOfTrial({ encryptMs, signMs, together }: TrialTimes): SignerSpeed {
  const aloneMs = Math.max(LEAST_MS, encryptMs + signMs);
  if (together === undefined) return { msPerDocument: aloneMs, atMost: false };
  const { requests, tookMs } = together;
  const inWork = (aloneMs / 2) * (requests / Math.max(LEAST_MS, tookMs));
  const atOnce = Math.min(Math.max(inWork, 1), requests);
  return { msPerDocument: aloneMs / atOnce, atMost: atOnce > requests / 2 };
}

/** Fewer signatures than this say nothing of a speed. */
export const LEAST_SIGNATURES = 4;
/**
 * A gap this many times longer than the usual gap was a pause: of a person, a hold, or a worker.
 */
const PAUSE = 10;
const PAUSE_MS = 5_000;
/** Clocks here have milliseconds. */
const LEAST_MS = 1;

/**
 * Milliseconds from one document to the next in a run, without its pauses.
 *
 * @param signedAtMs when its documents were signed, in any order
 * @returns undefined where too few were
 */
export function msBetweenSignatures(signedAtMs: readonly number[]): number | undefined {
  if (signedAtMs.length < LEAST_SIGNATURES) return undefined;
  const sorted = signedAtMs.toSorted((a, b) => a - b);
  const gaps = sorted.slice(1).map((atMs, index) => atMs - (sorted[index] ?? atMs));
  const usual = gaps.toSorted((a, b) => a - b)[Math.floor(gaps.length / 2)] ?? 0;
  const working = gaps.filter((gap) => gap <= Math.max(PAUSE * usual, PAUSE_MS));
  return Math.max(LEAST_MS, working.reduce((sum, gap) => sum + gap, 0) / working.length);
}

/** How long this many documents will take. The proof of the signer comes first, and costs about one. */
export function expectedMs(documents: number, { msPerDocument }: Pick<SignerSpeed, 'msPerDocument'>): number {
  return documents === 0 ? 0 : (documents + 1) * msPerDocument;
}

const PERSON_MS = 4_000;
const PERSON = 5;

/** Whether a person may have approved one of these answers: it took long, and others did not. */
export function looksApproved(tookMs: readonly number[]): boolean {
  const longest = Math.max(...tookMs);
  return longest >= PERSON_MS && longest >= PERSON * Math.min(...tookMs);
}
