import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { UsageError } from './fail';

/**
 * Reads a secret from a file or standard input. Never from the command line, where every user of the host could read it
 * in the process list and the shell would keep it. On a terminal it is asked for and not shown.
 */
export async function readSecret(what: string, file: string | undefined): Promise<string> {
  const text =
    file === undefined ? await fromStandardInput(what) : await readSecretFile(what, file, '--uri-file');
  const secret = text.trim();
  if (secret === '')
    throw new UsageError(`no ${what} was given: pipe it to standard input or name a file with --uri-file`);
  return secret;
}

/** @param option that names the file */
export async function readSecretFile(what: string, file: string, option: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT')
      throw new UsageError(
        `no such file: ${file}`,
        `Put the ${what} into it${option === '--uri-file' ? ', or pipe it to standard input' : ''}.`,
      );
    throw new UsageError(`${file} cannot be read`, `Name a file with ${option} that you may read.`);
  }
}

async function fromStandardInput(what: string): Promise<string> {
  if (!process.stdin.isTTY) {
    const chunks: Buffer[] = [];
    for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks).toString('utf8');
  }
  process.stderr.write(`${what} (not shown): `);
  // No output stream: readline then echoes nothing.
  const lines = createInterface({ input: process.stdin, terminal: true });
  try {
    return await new Promise<string>((resolve) => lines.once('line', resolve));
  } finally {
    lines.close();
    process.stderr.write('\n');
  }
}
