import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { Owner } from './ownership';
import type { SettingDigests } from './worker-settings';

/** What an asker says first. */
export interface Request {
  token: string;
  /** Whether Temporal is needed beside Postgres. */
  temporal: boolean;
}

/** The servers of a folder, as a command uses them. */
export interface Granted {
  databaseUrl: string;
  /** host:port; absent while only Postgres runs. */
  temporalAddress?: string;
  temporalUi?: string;
  /** What the worker of `republish up` was set to. */
  worker?: SettingDigests;
}

/** A line from the owner: what is being done meanwhile, and one of the others at the end. */
export type Answer = { step: string } | { granted: Granted } | { refused: string } | { ending: true };

export interface Lease {
  granted: Granted;
  /** Resolves when the owner has ended before we gave it back. */
  lost: Promise<void>;
  giveBack(): void;
}

/**
 * Asks the owner of a folder for its servers: they stay at least until the lease is given back, or this
 * process ends.
 *
 * @returns undefined when the owner is just ending, or gone
 * @throws Error with the owner's reason when it cannot start them
 */
export async function askOwner(
  owner: Owner,
  temporal: boolean,
  say: (text: string) => void,
): Promise<Lease | undefined> {
  const socket = connect({ host: '127.0.0.1', port: owner.port });
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.on('error', () => undefined); // 'close' follows
  send(socket, { token: owner.token, temporal } satisfies Request);
  // What is written after the end of the other side would otherwise keep the line reader waiting.
  const answer = await Promise.race([
    lastAnswer(socket, say),
    closed.then(() => ({ ending: true }) as const),
  ]);
  if ('granted' in answer) {
    let isGivenBack = false;
    return {
      granted: answer.granted,
      lost: closed.then(() => (isGivenBack ? new Promise<void>(() => undefined) : undefined)),
      giveBack() {
        isGivenBack = true;
        socket.destroy();
      },
    };
  }
  socket.destroy();
  if ('refused' in answer) throw new Error(answer.refused);
  return undefined;
}

async function lastAnswer(
  socket: Socket,
  say: (text: string) => void,
): Promise<Exclude<Answer, { step: string }>> {
  return new Promise((resolve) => {
    createInterface({ input: socket }).on('line', (line) => {
      const answer = JSON.parse(line) as Answer;
      if ('step' in answer) say(answer.step);
      else resolve(answer);
    });
  });
}

export function send(socket: Socket, message: Request | Answer): void {
  socket.write(`${JSON.stringify(message)}\n`);
}
