import { readFileSync } from 'node:fs';
import { type ConnectionOptions, createSecureContext } from 'node:tls';
import { ensureError } from '../contract/failures';
import { PostgresUrlFault, type TlsDemand } from './postgres-url';

/**
 * The TLS options for a URL, with the meaning of libpq. Without a CA the connection is encrypted and the
 * server is not verified. With a CA it must have signed the server's certificate, in every mode. Only
 * `verify-full` compares the name of the host. This function reads the files.
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
  // Explicit: a NODE_TLS_REJECT_UNAUTHORIZED=0 that is meant for other connections must not turn this off.
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
