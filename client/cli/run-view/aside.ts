import { say } from '../output';

/** What is kept in place on the terminal, for as long as it is. */
export interface Shown {
  /** Takes itself away, lets this be written, and is there again below it. */
  beneath(write: () => void): void;
  close(): void;
}

let shown: Shown | undefined;

export function nowShown(view: Shown | undefined): void {
  shown = view;
}

/** Says something while a run may be on the terminal, which a line from elsewhere would tear. */
export function sayAside(text: string): void {
  // A redirected stderr is not where the view is.
  if (shown === undefined || !process.stderr.isTTY) return say(text);
  shown.beneath(() => say(text));
}

/** Before this process ends without the command knowing: the cursor must be there again. */
export function closeShown(): void {
  shown?.close();
}
