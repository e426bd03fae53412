import fc from 'fast-check';
import type { PublishReply } from '../../nostr/relays/frames';
import { startChildProgram } from '../support/child-program';
import { PATIENCE_MS, make, everything, serve, connect, read } from '../support/relay-connections';
import { until } from '../support/until';

describe('a relay that talks nonsense', () => {
  /** What each of these would do to `String()`, to a property access or to a destructuring. */
  const NONSENSE = [
    '',
    'hello',
    '{',
    'null',
    '7',
    '"EVENT"',
    '{}',
    '[]',
    '[null]',
    '["EVENT"]',
    '["EVENT",null,null]',
    '["EOSE",{"toString":1}]',
    '["OK",{"toString":1},true,""]',
    '["OK",null,true,{"toString":1}]',
    '["CLOSED",{"toString":1,"valueOf":1},{"toString":1}]',
    '["NOTICE",{"toString":1}]',
    `["NOTICE",${'['.repeat(20_000)}${']'.repeat(20_000)}]`,
    '["AUTH","challenge"]',
    '["__proto__","x"]',
    '[{"toString":1}]',
  ];

  it('is listened to no further than what it is asked', async () => {
    const notices: string[] = [];
    const relay = await serve({
      onConnect: (peer) => NONSENSE.forEach((text) => peer.sendText(text)),
      onEvent(event, peer) {
        NONSENSE.forEach((text) => peer.sendText(text));
        peer.sendBinary(Buffer.from(JSON.stringify(['OK', event.id, false, 'in a binary frame'])));
        peer.send('OK', event.id, true, { toString: 1 });
      },
      onRequest(id, _, peer) {
        NONSENSE.forEach((text) => peer.sendText(text.replaceAll('{"toString":1}', JSON.stringify(id))));
        peer.send('CLOSED', id, { toString: 1 });
      },
    });
    const connection = await connect(relay, {
      onNotice: (text) => notices.push(text),
      onOk: () => undefined,
    });
    expect(await connection.publish(make(), PATIENCE_MS)).toEqual({
      kind: 'ok',
      accepted: true,
      message: '',
    });
    expect(await read(connection, everything)).toMatchObject({ kind: 'eose' });
    expect(connection.isOpen).toBe(true);
    expect(notices.every((notice) => typeof notice === 'string')).toBe(true);
  });

  it('does not end the process', async () => {
    // Jest holds back what would end a real process: an exception in the listener of a socket.
    const child = await startChildProgram(`
      const { WebSocketServer } = require('ws');
      const { RelayConnection } = require('./nostr/relays/connection');
      const { readStored } = require('./nostr/relays/read');
      const frames = ${JSON.stringify(NONSENSE)};
      const server = new WebSocketServer({ port: 0 }, async () => {
        server.on('connection', (socket) => frames.forEach((frame) => socket.send(frame)));
        const connection = await RelayConnection.open({
          url: 'ws://127.0.0.1:' + server.address().port, connectTimeoutMs: 5000, onNotice() {}, onOk() {},
        });
        server.clients.forEach((socket) => frames.forEach((frame) => socket.send(frame)));
        const reply = await readStored(connection, [{ kinds: [1] }], { timeoutMs: 300 });
        connection.close();
        server.close();
        console.log(reply.kind);
      });
    `);
    // It asks who we are, and says nothing else that makes sense.
    expect(child.firstLine).toBe('closed');
    // It ends by itself: a closed connection keeps no process alive.
    expect(await child.ended).toBe(0);
  });

  it('is survived whatever JSON it sends', async () => {
    const relay = await serve();
    const type = fc.constantFrom('EVENT', 'EOSE', 'CLOSED', 'OK', 'NOTICE', 'AUTH', 'COUNT');
    const frames = fc.array(fc.tuple(type, fc.jsonValue(), fc.jsonValue(), fc.jsonValue()), { minLength: 1 });
    await fc.assert(
      fc.asyncProperty(frames, async (nonsense) => {
        const event = make('d', 1);
        relay.script = {
          onEvent(_, peer) {
            for (const frame of nonsense) peer.send(...frame);
            peer.send('OK', event.id, true, 'after all');
          },
        };
        // One for each: after a hundred frames that are no message a connection is given up.
        const connection = await connect(relay, { onNotice: () => undefined, onOk: () => undefined });
        const reply: PublishReply = await connection.publish(event, PATIENCE_MS);
        expect(reply).toEqual({ kind: 'ok', accepted: true, message: 'after all' });
        connection.close();
      }),
      { numRuns: 50 },
    );
  });

  it('ends only its own connection with a message that is too large', async () => {
    const huge = await serve({ onEvent: (_, peer) => peer.sendText(`["NOTICE","${'x'.repeat(5_000)}"]`) });
    const [good, reasons] = [await serve(), [] as string[]];
    const [first, other] = [
      await connect(huge, { maxMessageBytes: 4_096, onLost: (reason) => reasons.push(reason) }),
      await connect(good, { maxMessageBytes: 4_096 }),
    ];
    expect(await first.publish(make(), PATIENCE_MS)).toEqual({
      kind: 'lost',
      reason: 'Max payload size exceeded',
    });
    expect(reasons).toEqual(['Max payload size exceeded']);
    expect(await other.publish(make(), PATIENCE_MS)).toMatchObject({ kind: 'ok', accepted: true });
    await until(() => huge.connections() === 0);
  });

  it('takes messages of up to a megabyte and no more unless it is told otherwise', async () => {
    const relay = await serve({
      onEvent: (event, peer) =>
        peer.sendText(JSON.stringify(['OK', event.id, true, 'x'.repeat(Number(event.tags[0]?.[1]))])),
    });
    const connection = await connect(relay);
    expect(await connection.publish(make('1000000'), PATIENCE_MS)).toMatchObject({ kind: 'ok' });
    expect(await connection.publish(make('1100000'), PATIENCE_MS)).toMatchObject({ kind: 'lost' });
  });
});
