import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { freePort } from '../../embedded/free-port';
import { type ProcessGroup, startProcessGroup } from '../../embedded/process-group';

const START_TIMEOUT_MS = 120_000;

export interface LnbitsServer {
  /** Its data folder; on SQLite the databases are there. */
  folder: string;
  /** A new account with this public key, by the API; its id. */
  createAccount(username: string, pubkey: string): Promise<string>;
  /** Gives the account another public key, by the API: what a migration begins with. */
  changePubkey(id: string, username: string, pubkey: string): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts a real LNbits with an administrator. @param databaseUrl `postgres://`; undefined: SQLite, its
 * default
 */
export async function startLnbits(databaseUrl: string | undefined): Promise<LnbitsServer> {
  const executable = process.env.REPUBLISH_TEST_LNBITS;
  if (executable === undefined) throw new Error('LNbits is not installed: run npm run test:lnbits');
  const base = await mkdtemp(path.join(os.tmpdir(), 'republish-lnbits-'));
  const folder = path.join(base, 'data');
  await mkdir(folder);
  const port = await freePort();
  const server = await startProcessGroup({
    name: 'LNbits',
    command: executable,
    args: [],
    // It looks for its pages where it is installed.
    cwd: sitePackages(executable),
    env: {
      PATH: process.env.PATH,
      HOME: base,
      HOST: '127.0.0.1',
      PORT: String(port),
      LNBITS_ADMIN_UI: 'true',
      LNBITS_BACKEND_WALLET_CLASS: 'VoidWallet',
      LNBITS_DATA_FOLDER: folder,
      LNBITS_EXTENSIONS_PATH: base,
      LNBITS_EXTENSIONS_MANIFESTS: '',
      ...(databaseUrl === undefined ? {} : { LNBITS_DATABASE_URL: databaseUrl }),
    },
    orphan: { signal: 'SIGKILL', removeDir: base },
  });
  const stop = async (): Promise<void> => {
    await server.stop('SIGTERM', 10_000);
    await rm(base, { recursive: true, force: true });
  };
  try {
    const url = `http://127.0.0.1:${port}`;
    await untilHealthy(url, server);
    const token = await makeAdministrator(url);
    return {
      folder,
      stop,
      async createAccount(username, pubkey) {
        const { id } = await ask(url, 'POST', '/users/api/v1/user', { username, pubkey }, token);
        return String(id);
      },
      async changePubkey(id, username, pubkey) {
        await ask(url, 'PUT', `/users/api/v1/user/${id}`, { id, username, pubkey }, token);
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function sitePackages(executable: string): string {
  const python = path.join(path.dirname(executable), 'python');
  const code = 'import sysconfig; print(sysconfig.get_path("purelib"))';
  return execFileSync(python, ['-c', code], { encoding: 'utf8' }).trim();
}

async function untilHealthy(url: string, server: ProcessGroup): Promise<void> {
  for (const deadlineMs = Date.now() + START_TIMEOUT_MS; ;) {
    const response = await fetch(`${url}/api/v1/health`).catch(() => undefined);
    if (response?.ok) return;
    if (server.hasExited()) throw new Error(`LNbits ended while starting: ${server.epitaph()}`);
    if (Date.now() > deadlineMs)
      throw new Error(`LNbits did not answer in ${START_TIMEOUT_MS} ms: ${server.epitaph()}`);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

/** @returns its token for the API */
async function makeAdministrator(url: string): Promise<string> {
  const password = 'not a secret 1';
  const administrator = { username: 'administrator', password, password_repeat: password };
  const { access_token } = await ask(url, 'PUT', '/api/v1/auth/first_install', administrator);
  return String(access_token);
}

async function ask(
  url: string,
  method: string,
  at: string,
  body: unknown,
  token?: string,
): Promise<Record<string, unknown>> {
  const response = await fetch(url + at, {
    method,
    headers: {
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`LNbits answered ${method} ${at} with ${response.status}: ${text}`);
  return JSON.parse(text) as Record<string, unknown>;
}
