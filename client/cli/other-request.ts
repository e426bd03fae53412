import type { BeginOptions } from '../begin';
import { EXIT } from './exit-codes';
import { say } from './output';

/** The options of `start` that say what to do while a run of another request goes on. */
export function otherRequestOf(options: {
  wait: boolean;
  attach?: true;
}): NonNullable<BeginOptions['otherRequest']> {
  if (options.attach) return 'attach';
  return options.wait ? 'wait' : 'refuse';
}

/**
 * Begins something, and says for what that waits. Ctrl-C then ends the waiting, and nothing is started.
 *
 * @param how to see what is waited for, and what else there is
 * @returns undefined when somebody ended the waiting
 */
export async function beginOrStopWaiting<Run>(
  begin: (options: Pick<BeginOptions, 'onWaiting' | 'signal'>) => Promise<Run>,
  how: string,
): Promise<Run | undefined> {
  const ended = new AbortController();
  let isWaiting = false;
  const onSignal = (): void => {
    if (ended.signal.aborted) process.exit(EXIT.detached);
    ended.abort();
  };
  try {
    return await begin({
      signal: ended.signal,
      onWaiting({ message }) {
        say(message);
        if (isWaiting) return;
        isWaiting = true;
        say(`Ctrl-C ends the waiting, and nothing is started. ${how}`);
        process.on('SIGINT', onSignal);
        process.on('SIGTERM', onSignal);
      },
    });
  } catch (error) {
    if (!ended.signal.aborted) throw error;
    say('\nno longer waiting: nothing was started, and the other run goes on');
    process.exitCode = EXIT.detached;
    return undefined;
  } finally {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
}
