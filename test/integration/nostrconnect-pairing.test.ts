import { spawn } from 'node:child_process';
import path from 'node:path';
import { encrypt, getConversationKey } from 'nostr-tools/nip44';
import { finalizeEvent, generateSecretKey } from 'nostr-tools/pure';
import { type DevBunker, startBunker } from '../../dev/bunker';
import { seedOperator } from '../../dev/seed';
import { RelayConnection } from '../../nostr/relays/connection';
import { republish } from '../support/command-line';
import { startPatientSaga } from '../support/fleet';
import type { Saga } from '../support/saga';
import { until } from '../support/until';

const COMMAND_LINE = path.resolve(__dirname, '../../dist/client/cli/main.js');

describe('republish signer add --nostrconnect', () => {
  let saga: Saga;
  let bunker: DevBunker;
  const id = 'op-nostrconnect';

  beforeAll(async () => {
    saga = await startPatientSaga();
    // A bunker with relays of its own choice, which takes offers elsewhere too.
    bunker = await startBunker({ relays: [saga.relays[0]?.url ?? ''] });
    saga.onStop(() => bunker.stop());
    await seedOperator(saga.database, { id, pubkey: bunker.userPubkey, machines: 1 });
    await saga.startWorker();
  });
  afterAll(() => saga.stop());

  /** Starts the command and gives it as soon as its offer is out. */
  async function offer(args: string[] = []) {
    const child = spawn(process.execPath, [COMMAND_LINE, 'signer', 'add', id, '--nostrconnect', ...args], {
      env: { PATH: process.env.PATH, HOME: process.env.HOME, ...saga.env },
    });
    let output = '';
    let stdout = '';
    child.stdout.on('data', (chunk) => (stdout += String(chunk)));
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk) => (output += String(chunk)));
    const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
    await until(() => /nostrconnect:\/\/\S+/.test(output));
    const uri = /nostrconnect:\/\/\S+/.exec(output)?.[0] ?? '';
    return { uri, exited, output: () => output, stdout: () => stdout };
  }
  const signers = () => saga.database.query('SELECT * FROM republish.signers');

  test('an offer says what NIP-46 asks of it, and nothing is stored for one that nobody takes', async () => {
    const { uri, exited, output } = await offer(['--timeout', '1']);
    const { protocol, hostname, searchParams } = new URL(uri);
    expect({ protocol, hostname }).toEqual({
      protocol: 'nostrconnect:',
      hostname: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
    });
    expect(searchParams.getAll('relay')).toEqual(saga.relays.map(({ url }) => url));
    expect(searchParams.get('secret')).toMatch(/^[0-9a-f]{32}$/);
    expect(searchParams.get('perms')).toBe('nip44_encrypt,sign_event:30078,sign_event:22242');
    expect(searchParams.get('name')).toBe('republish-operator-configs');
    expect(await exited).toBe(4);
    expect(output()).toContain(
      'no bunker took the offer within 1 s\nremedy: Make a new offer with the same command; --timeout',
    );
    expect(await signers()).toEqual([]);
    expect(await saga.database.query('SELECT * FROM republish.pairings')).toEqual([]);
  });

  test('strangers who answer without the secret are not believed; the bunker that knows it is, and signs', async () => {
    const { uri, exited, output } = await offer();
    const client = new URL(uri).hostname;
    const secret = new URL(uri).searchParams.get('secret') ?? '';
    const connection = await RelayConnection.open({
      url: saga.relays[0]?.url ?? '',
      connectTimeoutMs: 20_000,
    });
    const say = (content: (key: Uint8Array) => string): void => {
      const key = generateSecretKey();
      const created_at = Math.floor(Date.now() / 1000);
      connection.send(
        finalizeEvent({ kind: 24133, created_at, tags: [['p', client]], content: content(key) }, key),
      );
    };
    for (const result of ['ack', '', 'a'.repeat(32), `${secret}0`, secret.toUpperCase()]) {
      say((key) => encrypt(JSON.stringify({ id: '1', result }), getConversationKey(key, client)));
    }
    say(() => 'garbage');
    say(() => `${secret}?iv=AAAA`);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(await signers()).toEqual([]);
    connection.close();

    await bunker.take(uri);
    expect(await exited).toBe(0);
    expect(output()).toContain(`the bunker signer of operator ${id} signs as ${bunker.userPubkey}`);
    expect(await signers()).toMatchObject([{ bunker_pubkey: bunker.signerPubkey, kind: 'bunker' }]);
    // The secret is nowhere but in the URI.
    expect(output().replaceAll(uri, '')).not.toContain(secret);
    expect(JSON.stringify(await signers())).not.toContain(secret);

    expect(await republish(['signer', 'check', id], saga.env)).toMatchObject({ code: 0 });
    expect(Object.values(await (await saga.start(id)).result()).flat()).toHaveLength(2);
  });

  test('with --json stdout has the facts alone', async () => {
    const { uri, exited, stdout } = await offer(['--json']);
    await bunker.take(uri);
    expect(await exited).toBe(0);
    expect(JSON.parse(stdout())).toMatchObject({ kind: 'bunker', matchesAccount: true });
  });

  test.each([
    [['--nostrconnect', '--bunker'], 'give one of --bunker, --nostrconnect and --local'],
    [['--nostrconnect', '--relay', 'https://relay.example.com'], 'is not a ws:// or wss:// URL'],
    [['--nostrconnect', '--relay', 'ws://relay.example.com'], 'name relays that the bunker reaches too'],
    [['--nostrconnect', '--timeout', 'soon'], '--timeout must be a number of seconds'],
  ])('%j is a mistake with a remedy', async (args, message) => {
    const { code, stderr } = await republish(['signer', 'add', id, ...args], saga.env);
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(message) as string });
  });

  test('on a terminal there is a QR code, where it has room', async () => {
    for (const [columns, hasCode] of [
      [120, true],
      [40, false],
    ] as const) {
      const terminal = spawn(
        'python3',
        [
          '-c',
          `import fcntl, os, pty, struct, sys, termios
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('HHHH', 50, ${columns}, 0, 0))
    os.execvp(sys.argv[1], sys.argv[1:])
while True:
    try:
        data = os.read(fd, 4096)
    except OSError:
        break
    if not data:
        break
    sys.stdout.buffer.write(data)
    sys.stdout.flush()
`,
          process.execPath,
          COMMAND_LINE,
          ...['signer', 'add', id, '--nostrconnect'],
        ],
        { env: { PATH: process.env.PATH, HOME: process.env.HOME, ...saga.env } },
      );
      let screen = '';
      terminal.stdout.on('data', (chunk) => (screen += String(chunk)));
      const exited = new Promise((resolve) => terminal.once('close', resolve));
      await until(() => screen.includes('waiting for the bunker'));
      const uri = /nostrconnect:\/\/\S+/.exec(screen)?.[0] ?? '';
      await bunker.take(uri);
      await exited;
      expect(screen).toContain('signs as');
      expect(screen.includes('\u2580')).toBe(hasCode);
    }
  });
});
