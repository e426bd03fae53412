import type { BeginOptions } from '../begin';
import { EXIT } from './exit-codes';
import { say } from './output';
import { onCtrlC } from './signals';

/** `--no-wait` and `--attach` of `start`: what to do while a run of another request is running. */
export function otherRequestOf(options: {
  wait: boolean;
  attach?: true;
}): NonNullable<BeginOptions['otherRequest']> {
  if (options.attach) return 'attach';
  return options.wait ? 'wait' : 'refuse';
}

/**
 * Begins a run or a fleet, and shows for which other one it waits. Ctrl-C ends the wait, and nothing is
 * started.
 *
 * @param how text that tells how to see and how to end the other one
 * @returns undefined when Ctrl-C ended the wait
 */
export async function beginOrStopWaiting<Run>(
  begin: (options: Pick<BeginOptions, 'onWaiting' | 'signal'>) => Promise<Run>,
  how: string,
): Promise<Run | undefined> {
  const ended = new AbortController();
  let forget: (() => void) | undefined;
  const onSignal = (): void => {
    if (ended.signal.aborted) process.exit(EXIT.detached);
    ended.abort();
  };
  try {
    return await begin({
      signal: ended.signal,
      onWaiting({ message }) {
        say(message);
        if (forget !== undefined) return;
        forget = onCtrlC(onSignal);
        say(`Ctrl-C ends the waiting, and nothing is started. ${how}`);
      },
    });
  } catch (error) {
    if (!ended.signal.aborted) throw error;
    say('\nno longer waiting: nothing was started, and the other run continues');
    process.exitCode = EXIT.detached;
    return undefined;
  } finally {
    forget?.();
  }
}
