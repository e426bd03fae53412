import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { fetchRelayInformation } from '../../nostr/relays/relay-information';
import { startTcpServer, type TcpServer } from '../support/tcp-server';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

describe('a relay that is asked for its information and', () => {
  let answer: string;
  let server: TcpServer;
  let url: string;

  beforeAll(async () => {
    server = await startTcpServer((socket) => socket.once('data', () => socket.write(answer)));
    url = `ws://127.0.0.1:${server.port}`;
  });
  afterAll(() => server.stop());

  // Node may collect a timeout that only a combined signal knows, and the question then lasts for five
  // minutes.
  test.each([
    ['says nothing', ''],
    ['begins to answer and then says nothing', 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{'],
    [
      'answers as if it had been asked for a websocket',
      'HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n',
    ],
  ])(
    '%s is not waited for longer than its bound, whatever is collected as garbage',
    async (_, said) => {
      answer = said;
      let isOver = false;
      const asked = fetchRelayInformation(url, { signal: new AbortController().signal }).then(
        () => undefined,
        (error: Error) => error,
      );
      void asked.then(() => (isOver = true));
      for (let waited = 0; waited < 20_000 && !isOver; waited += 200) {
        collectGarbage();
        await sleep(200);
      }
      expect(isOver).toBe(true);
      expect((await asked)?.message).toContain('does not say what it is');
    },
    60_000,
  );

  test('is not waited for any longer once nobody wants to know', async () => {
    answer = '';
    const nobody = new AbortController();
    const asked = fetchRelayInformation(url, { signal: nobody.signal });
    nobody.abort();
    await expect(asked).rejects.toThrow('aborted');
    await expect(fetchRelayInformation(url, { signal: AbortSignal.abort() })).rejects.toThrow('aborted');
  });
});
