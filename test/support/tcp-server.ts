import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

/** A server of plain sockets, for what no well-behaved server would say. */
export interface TcpServer {
  port: number;
  /** Connections that are open now. */
  sockets: ReadonlySet<Socket>;
  /** Connections that came so far. */
  readonly accepted: number;
  /** Ends its connections too. */
  stop(): Promise<void>;
}

/** @param onSocket by default it listens, and never says a word */
export async function startTcpServer(
  onSocket: (socket: Socket) => void = (socket) => void socket.resume(),
): Promise<TcpServer> {
  const sockets = new Set<Socket>();
  let accepted = 0;
  const server = createServer((socket) => {
    accepted += 1;
    sockets.add(socket.on('error', () => undefined).on('close', () => sockets.delete(socket)));
    onSocket(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    sockets,
    get accepted() {
      return accepted;
    },
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
