import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

export interface ExampleProcess {
  /** All that it has written so far, on either stream. */
  output(): string;
  /** Ends it as its README does, with SIGTERM. @returns its exit code */
  stop(): Promise<number | null>;
}

/**
 * Runs a file of a copied example until it has written what `ready` looks for.
 *
 * @throws Error with its output where it ends before
 */
export async function startExample(
  file: string,
  env: Record<string, string>,
  ready: RegExp,
): Promise<ExampleProcess> {
  const child: ChildProcess = spawn(process.execPath, [file], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const closed = once(child, 'close') as Promise<[number | null]>;
  let output = '';
  const isReady = new Promise<void>((resolve) => {
    const take = (chunk: unknown): void => {
      output += String(chunk);
      if (ready.test(output)) resolve();
    };
    child.stdout?.on('data', take);
    child.stderr?.on('data', take);
  });
  await Promise.race([
    isReady,
    closed.then(() => Promise.reject(new Error(`${file} ended before it was ready:\n${output}`))),
  ]);
  return {
    output: () => output,
    async stop() {
      child.kill('SIGTERM');
      const [code] = await closed;
      return code;
    },
  };
}
