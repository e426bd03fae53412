import { say } from '../output';

/** A view that is kept in place on the terminal. */
export interface LiveRegion {
  /** Clears the view, lets this be written, and draws the view again below it. */
  writeAbove(write: () => void): void;
  close(): void;
}

let current: LiveRegion | undefined;

export function setLiveRegion(region: LiveRegion | undefined): void {
  current = region;
}

/** As `say`, also while a live region is on the terminal: a plain write would tear it. */
export function sayAbove(text: string): void {
  // The region is not on a redirected stderr.
  if (current === undefined || !process.stderr.isTTY) return say(text);
  current.writeAbove(() => say(text));
}

/** Before this process exits on its own account: the cursor must be visible again. */
export function closeLiveRegion(): void {
  current?.close();
}
