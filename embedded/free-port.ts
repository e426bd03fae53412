import { randomInt } from 'node:crypto';
import { createServer, type Server } from 'node:net';

/**
 * Below the ports that the kernel gives to outgoing connections (Linux from 32768, macOS from 49152). A
 * server that starts again on its port must find it free. Inside that range, a client that dials a stopped
 * port can get the same port as its source: it then connects to itself and keeps the port.
 */
const FIRST_PORT = 15_000;
const LAST_PORT = 32_000;
const ATTEMPTS_PER_PORT = 50;

/** Ports that this process has got already. Their servers may not have bound them yet. */
const handedOut = new Set<number>();

/** A TCP port that is free on 127.0.0.1 now and that this process has not got before. */
export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  return port as number;
}

/**
 * `count` different free TCP ports on 127.0.0.1. All are open until the last one is found, so they differ.
 * Another process can take a port before the server binds it: the caller must be ready to ask again.
 */
export async function freePorts(count: number): Promise<number[]> {
  const held: Server[] = [];
  const ports: number[] = [];
  try {
    for (let attempt = 0; ports.length < count; attempt += 1) {
      if (attempt >= ATTEMPTS_PER_PORT * count) {
        throw new Error(
          `Found only ${ports.length} of ${count} free ports on 127.0.0.1 ` +
            `between ${FIRST_PORT} and ${LAST_PORT}: stop what is using them.`,
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
