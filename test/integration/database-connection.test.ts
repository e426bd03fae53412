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

/** Of an answer to one statement: no column of a row is needed, since what is asked for is then not so. */
const DONE = message('C', Buffer.from('OK\0'));
const IN_ABORTED_TRANSACTION = message('Z', Buffer.from('E'));
const CANCELLED = message(
  'E',
  Buffer.from('SERROR\0VERROR\0C57014\0Mcanceling statement due to user request\0\0'),
);

test('a transaction that has begun, and whose settings were refused, is rolled back', async () => {
  const asked: string[] = [];
  const server = await startTcpServer((socket) =>
    socket.once('data', () => {
      socket.write(Buffer.concat([LET_IN, READY]));
      socket.on('data', (data) => {
        if (data.toString('latin1', 0, 1) !== 'Q') return;
        const text = data.toString('utf8', 5, data.length - 1);
        asked.push(text);
        const begins = text.startsWith('BEGIN');
        socket.write(Buffer.concat(begins ? [DONE, CANCELLED, IN_ABORTED_TRANSACTION] : [DONE, READY]));
      });
    }),
  );
  const database = openDatabase({ url: `postgres://user@127.0.0.1:${server.port}/lnbits?sslmode=disable` });
  try {
    expect(await fails(RepublishError, database.query('SELECT 1'))).toMatchObject({
      type: 'DatabaseUnavailable',
    });
    expect(asked.at(-1)).toBe('ROLLBACK');
  } finally {
    await database.close();
    await server.stop();
  }
});

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
