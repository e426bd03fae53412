import { randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { ensureError } from '../../contract/failures';
import type { DataFolder } from './folder';
import { type Granted, type Request, send } from './lease';
import { type Owner, type Ownership, takeOwnership } from './ownership';
import { FolderServers } from './servers';
import { digestsOf, type SettingDigests, type WorkerSettings } from './worker-settings';

/** A request is one short line. A longer one is not from this program. */
const MAX_REQUEST_CHARS = 1_000;

/** This process owns a data folder: it runs the servers and lends them to other commands. */
export class FolderOwner {
  private readonly borrowers = new Set<Socket>();
  private onFewerBorrowers: () => void = () => undefined;
  private isEnding = false;

  private constructor(
    private readonly listener: Server,
    private readonly ownership: Ownership,
    private readonly servers: Promise<FolderServers>,
    private readonly worker: SettingDigests | undefined,
  ) {}

  /**
   * Takes the ownership of the folder and starts its servers.
   *
   * @returns undefined: another process owns the folder
   */
  static async open(
    folder: DataFolder,
    role: Owner['role'],
    say: (text: string) => void,
    worker?: WorkerSettings,
  ): Promise<FolderOwner | undefined> {
    const token = randomBytes(32).toString('hex');
    let answer: (socket: Socket) => void = (socket) => socket.destroy();
    // It listens before it takes the folder: another command can connect as soon as it reads the owner file.
    const listener = createServer((socket) => answer(socket));
    const port = await listen(listener);
    const ownership = await takeOwnership(folder.path, { role, port, token });
    if (ownership === undefined) {
      listener.close();
      return undefined;
    }
    const starting = FolderServers.start(folder, say);
    const owner = new FolderOwner(listener, ownership, starting, worker && digestsOf(worker, token));
    answer = (socket) => owner.serve(socket, token);
    try {
      await starting;
      return owner;
    } catch (error) {
      await owner.end();
      throw error;
    }
  }

  /** The addresses of the servers. Starts Temporal if `temporal` is true and it is not running. */
  async grant(temporal: boolean): Promise<Granted> {
    const servers = await this.servers;
    const running = await (temporal ? servers.startTemporal() : servers.runningTemporal());
    return {
      databaseUrl: servers.databaseUrl,
      ...(running === undefined ? {} : { temporalAddress: running.address, temporalUi: running.uiUrl }),
      ...(this.worker === undefined ? {} : { worker: this.worker }),
    };
  }

  /** Resolves when a server has ended without `end`. */
  get lost(): Promise<void> {
    return this.servers.then(
      (servers) => servers.lost,
      () => undefined,
    );
  }

  /** How many other commands use the servers. */
  get borrowed(): number {
    return this.borrowers.size;
  }

  /** Resolves when no other command uses the servers. */
  async untilAllGivenBack(): Promise<void> {
    while (this.borrowers.size > 0) await new Promise<void>((resolve) => (this.onFewerBorrowers = resolve));
  }

  /** Stops the servers in order and releases the folder. May be called again. */
  async end(): Promise<void> {
    if (this.isEnding) return;
    this.isEnding = true;
    for (const socket of this.borrowers) socket.destroy();
    await (await this.servers.catch(() => undefined))?.stop();
    await this.ownership.release();
    this.listener.close();
  }

  private serve(socket: Socket, token: string): void {
    socket.on('error', () => undefined);
    let received = '';
    socket.on('data', (chunk) => {
      received += String(chunk);
      if (received.length > MAX_REQUEST_CHARS) socket.destroy();
    });
    createInterface({ input: socket }).once('line', (line) => {
      const request = parse(line);
      if (request === undefined || !isSame(request.token, token)) socket.destroy();
      else if (this.isEnding) socket.end(`${JSON.stringify({ ending: true })}\n`);
      else void this.lend(socket, request);
    });
  }

  private async lend(socket: Socket, { temporal }: Request): Promise<void> {
    this.borrowers.add(socket);
    socket.once('close', () => {
      this.borrowers.delete(socket);
      this.onFewerBorrowers();
    });
    try {
      send(socket, { granted: await this.grant(temporal) });
    } catch (error) {
      send(socket, { refused: ensureError(error).message });
      socket.end();
    }
  }
}

function parse(line: string): Request | undefined {
  try {
    const { token, temporal } = JSON.parse(line) as Partial<Request>;
    return typeof token === 'string' ? { token, temporal: temporal === true } : undefined;
  } catch {
    return undefined;
  }
}

function isSame(given: string, expected: string): boolean {
  const [one, other] = [Buffer.from(given), Buffer.from(expected)];
  return one.length === other.length && timingSafeEqual(one, other);
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: '127.0.0.1', port: 0 }, () => resolve((server.address() as AddressInfo).port));
  });
}
