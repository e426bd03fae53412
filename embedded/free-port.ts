import { randomInt } from 'node:crypto';
import { createServer, type Server } from 'node:net';

/**
 * Below the ports the kernel hands to outgoing connections (Linux from 32768, macOS from 49152). A server
 * that is stopped and started again on its port must find it free, and a client that keeps dialling a stopped
 * port inside that range can be given that very port as its own source: it then connects to itself and holds
 * the port.
 */
const FIRST_PORT = 15_000;
const LAST_PORT = 32_000;
const ATTEMPTS_PER_PORT = 50;

/** Ports this process has handed out already: the servers they were meant for may not have bound them yet. */
const handedOut = new Set<number>();

/** One TCP port that is free on 127.0.0.1 now and that this process was not given before. */
export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  return port as number;
}

/**
 * `count` different free TCP ports on 127.0.0.1. All are held open until the last one is found, so no two are
 * the same. Another process can still take one before it is used: whoever starts a server on it should be
 * ready to ask again.
 */
export async function freePorts(count: number): Promise<number[]> {
  const held: Server[] = [];
  const ports: number[] = [];
  try {
    for (let attempt = 0; ports.length < count; attempt += 1) {
      if (attempt >= ATTEMPTS_PER_PORT * count) {
        throw new Error(
          `Found only ${ports.length} of ${count} free ports on 127.0.0.1 between ${FIRST_PORT} and ${LAST_PORT}: stop what is using them.`,
        );
      }
      const port = randomInt(FIRST_PORT, LAST_PORT);
      if (handedOut.has(port)) continue;
      handedOut.add(port);
      const server = await listen(port);
      if (server === undefined) continue;
      held.push(server);
      ports.push(port);
    }
  } finally {
    await Promise.all(held.map((server) => new Promise((closed) => server.close(closed))));
  }
  return ports;
}

function listen(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => resolve(server));
  });
}
