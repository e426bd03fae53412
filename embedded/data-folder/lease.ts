import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { Owner } from './ownership';
import type { SettingDigests } from './worker-settings';

/** The first line from a command to the owner. */
export interface Request {
  token: string;
  /** Temporal is needed too, not only Postgres. */
  temporal: boolean;
}

/** The addresses of the servers of a folder. */
export interface Granted {
  /** `postgres://...`, with a password. */
  databaseUrl: string;
  /** host:port. Absent: only Postgres is running. */
  temporalAddress?: string;
  /** Address of the web UI. */
  temporalUi?: string;
  /** The settings of the worker of `republish up`. Absent: there is no such worker. */
  worker?: SettingDigests;
}

/** A line from the owner. `step` is a message for the person. Each of the others is the last line. */
export type Answer = { step: string } | { granted: Granted } | { refused: string } | { ending: true };

export interface Lease {
  granted: Granted;
  /** Resolves when the owner has ended before `giveBack`. */
  lost: Promise<void>;
  giveBack(): void;
}

/**
 * Asks the owner of a folder for its servers. They run at least until `giveBack`, or until this process ends.
 *
 * @returns undefined: the owner is ending or has ended
 * @throws Error the owner cannot start the servers; the message is the owner's reason
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
  // If the owner has closed the connection already, no line arrives: `closed` ends the wait.
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
