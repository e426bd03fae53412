import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { UsageError } from './fail';

/**
 * Reads a secret from a file or standard input. Never from an argument: every user of the host could read it
 * in the process list, and the shell history would keep it. On a terminal it prompts, and does not echo.
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
  if (isSecret(file))
    throw new UsageError(
      `${option} was given the ${what} itself, and takes the name of a file that holds it`,
      'The command line is seen in the process list and kept by the shell: delete it from the history, and make a new secret if others use this host.',
    );
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

/** A secret that was given in place of a file name must not appear in the message "no such file". */
function isSecret(name: string): boolean {
  return /^(nsec1|ncryptsec1|bunker:|nostrconnect:)/i.test(name) || /^[0-9a-f]{64}$/i.test(name);
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
