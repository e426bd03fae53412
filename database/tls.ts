import { readFileSync } from 'node:fs';
import { type ConnectionOptions, createSecureContext } from 'node:tls';
import { ensureError } from '../contract/failures';
import { PostgresUrlFault, type TlsDemand } from './postgres-url';

/**
 * What TLS a URL asks for, as libpq has it: without a CA nothing but the line is secured; with one the server
 * has to be signed by it, whatever the mode; only `verify-full` looks at the name of the host. Reads the
 * files.
 *
 * @throws PostgresUrlFault naming the parameter and the file
 */
export function tlsOptions({ mode, rootCert, cert, key, passphrase }: TlsDemand): ConnectionOptions {
  const own: ConnectionOptions = {
    ...(cert === undefined ? {} : { cert: read('sslcert', cert) }),
    ...(key === undefined ? {} : { key: read('sslkey', key) }),
    ...(passphrase === undefined ? {} : { passphrase }),
  };
  const ca = rootCert === undefined || rootCert === 'system' ? undefined : read('sslrootcert', rootCert);
  const options = { ...own, ...(ca === undefined ? {} : { ca }) };
  try {
    createSecureContext(options);
  } catch (thrown) {
    const why = ensureError(thrown).message;
    throw new PostgresUrlFault(
      `names certificates that cannot be used (${why})`,
      'check the files that sslcert, sslkey and sslrootcert name: PEM, and key and certificate of one pair',
    );
  }
  if (mode !== 'verify-full' && ca === undefined) return { ...options, rejectUnauthorized: false };
  // Said, since NODE_TLS_REJECT_UNAUTHORIZED=0, which is set for something else, would undo what this URL
  // demands.
  const verified = { ...options, rejectUnauthorized: true };
  return mode === 'verify-full' ? verified : { ...verified, checkServerIdentity: () => undefined };
}

function read(parameter: string, file: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (thrown) {
    const { code = '' } = thrown as NodeJS.ErrnoException;
    throw new PostgresUrlFault(
      `names a file that cannot be read (${parameter}: ${file}, ${code})`,
      'put it there, let this user read it, or correct the path (an absolute one)',
    );
  }
  if (!text.includes('-----BEGIN '))
    throw new PostgresUrlFault(`names a file that is no PEM (${parameter}: ${file})`, 'give it as PEM');
  return text;
}
