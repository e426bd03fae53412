import { exitOf, type FailureType } from '../../contract/failures';

/** Exit codes of `republish`; scripts rely on them. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  partlyDone: 3,
  signer: 4,
  preflight: 5,
  detached: 130,
} as const;

/** The exit code for a failure type. */
export function exitCodeFor(type: FailureType): number {
  return EXIT[exitOf(type)];
}
