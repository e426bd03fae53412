import { RepublishError } from '../../contract/failures';
import { type Database, openDatabase } from '../../database/connection';
import { fails } from '../support/fails';
import { startTcpServer, type TcpServer } from '../support/tcp-server';

/** A message of Postgres' protocol: its type, its length with itself, and what it says. */
function message(type: string, body: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length + 4);
  return Buffer.concat([Buffer.from(type), length, body]);
}

const LET_IN = message('R', Buffer.alloc(4));
const READY = message('Z', Buffer.from('I'));
const TERMINATED = message(
  'E',
  Buffer.from('SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0'),
);

describe('a connection that is ended in the moment in which it is ready', () => {
  let server: TcpServer;
  let database: Database;

  beforeAll(async () => {
    // In one packet, so that nothing of ours runs in between.
    server = await startTcpServer((socket) =>
      socket.once('data', () => socket.end(Buffer.concat([LET_IN, READY, TERMINATED]))),
    );
    database = openDatabase({ url: `postgres://user@127.0.0.1:${server.port}/lnbits?sslmode=disable` });
  });
  afterAll(async () => {
    await database.close();
    await server.stop();
  });

  // Nobody listened, and an error that nobody listens for ends the worker.
  test.each([
    ['a transaction', () => database.transaction((client) => client.query('SELECT 1'))],
    ['a statement of its own', () => database.query('SELECT 1')],
  ])('costs %s, and not the process', async (_, work) => {
    expect(await fails(RepublishError, work())).toMatchObject({ type: 'DatabaseUnavailable' });
  });
});
