import { isBehindNpx } from '../../configuration/terminal';

const LOOKED_MS = 250;

/**
 * `npx republish worker` is a child of a shell that is a child of npm: a SIGTERM for npm ends that shell,
 * which passes nothing on [npm 11]. So the end of the shell counts as the signal. Not for `npm run`: a script
 * may leave something running.
 */
export function endWithNpx(): void {
  if (!isBehindNpx() || process.platform === 'win32') return;
  const shell = process.ppid;
  const looking = setInterval(() => {
    if (process.ppid === shell) return;
    clearInterval(looking);
    process.kill(process.pid, 'SIGTERM');
  }, LOOKED_MS);
  looking.unref();
}
