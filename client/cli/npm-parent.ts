import { calledBy } from '../../configuration/terminal';

const LOOKED_MS = 250;

/**
 * `npx republish worker` is a child of a shell that is a child of npm. A SIGTERM to npm ends the shell, which
 * does not pass the signal on [npm 11]. So the end of the shell counts as the signal. Not under `npm run`: a
 * script may start a process and leave it running.
 */
export function endWithNpx(): void {
  if (calledBy() !== 'npx' || process.platform === 'win32') return;
  const shell = process.ppid;
  const looking = setInterval(() => {
    if (process.ppid === shell) return;
    clearInterval(looking);
    process.kill(process.pid, 'SIGTERM');
  }, LOOKED_MS);
  looking.unref();
}
