import { generateSecretKey, getPublicKey, verifyEvent } from 'nostr-tools/pure';
import { type DevBunker, startBunker } from '../../dev/bunker';
import type { BunkerRequest } from '../../dev/bunker-faults';
import { startRelay } from '../../dev/relay';
import { BunkerClient } from '../../nostr/bunker/client';
import { Limiter } from '../../async/limiter';
import type { SignedEvent } from '../../nostr/events';
import { startBareRelay } from '../support/bare-relay';
import { RepublishFailed } from '../../client/errors';
import { fails } from '../support/fails';
import { republish } from '../support/command-line';
import { type Saga, startSaga } from '../support/saga';
import { until } from '../support/until';

const PAGE = 'https://bunker.example.com/approve?token=canary-approval';

/** The probe text is for nobody's machine. */
function isOfDocument(machines: { atmPubkey: string }[], { method, params }: BunkerRequest): boolean {
  return method === 'nip44_encrypt' && machines.some(({ atmPubkey }) => atmPubkey === params[0]);
}

describe('a bunker that wants a person to approve (NIP-46 auth_url)', () => {
  let saga: Saga;

  beforeAll(async () => {
    saga = await startSaga();
  });
  afterAll(() => saga.stop());
  /** A worker that is not taken for lost on a busy machine: what is asked and told is counted. */
  const startWorker = (approvalTimeoutMs: number) =>
    saga.startWorker({
      env: {
        REPUBLISH_APPROVAL_TIMEOUT_MS: String(approvalTimeoutMs),
        REPUBLISH_HEARTBEAT_TIMEOUT_MS: '30000',
      },
    });

  test('the page is shown by status and in the details of the run, and in no log; the other requests wait; approved, the run goes on', async () => {
    let asked = 0;
    const worker = await startWorker(60_000);
    const { id, bunker, machines } = await saga.addOperator({ machines: 3 });
    let approve: () => void = () => undefined;
    const approved = new Promise<void>((resolve) => (approve = resolve));
    bunker.setFaults((request) => {
      if (!isOfDocument(machines, request)) return undefined;
      asked += 1;
      return asked > 1 ? undefined : { authUrl: PAGE, after: approved };
    });
    const run = await saga.start(id);
    await until(async () => {
      const { stdout } = await republish(['status', id, '--json'], saga.env);
      return (JSON.parse(stdout) as { approvals: string[] }).approvals.includes(PAGE);
    });

    const details = async (): Promise<string> => {
      const handle = saga.client.workflow.getHandle(run.workflowId, run.runId);
      return (await handle.query<{ currentDetails: string }>('__temporal_workflow_metadata')).currentDetails;
    };
    await until(async () => (await details()).includes(`Approve here: <${PAGE}>`));
    expect((await run.progress()).approvals).toEqual([PAGE]);
    expect(asked).toBe(1);
    approve();

    const events = await run.result();

    expect(Object.values(events).flat()).toHaveLength(6);
    expect((await run.progress()).approvals).toEqual([]);
    expect(await details()).not.toContain(PAGE);
    // Six documents waited for one page: the run was told once that it is open, and at most once that it is
    // not (a run may end before that reaches it).
    const { events: history } = await saga.client.workflow
      .getHandle(run.workflowId, run.runId)
      .fetchHistory();
    const signals = (history ?? []).filter((event) => event.workflowExecutionSignaledEventAttributes != null);
    expect([1, 2]).toContain(signals.length);
    expect(saga.logs.join('')).toContain('waits for a person to approve');
    expect(saga.logs.join('')).not.toContain('canary-approval');
    expect((await saga.ledger(run.runId)).map(({ outcome }) => outcome)).toEqual(Array(6).fill('published'));
    await worker.stop();
  }, 90_000);

  test('never approved, it says so after its limit, and asks for no second approval meanwhile', async () => {
    const worker = await startWorker(6_000);
    const { id, bunker, machines } = await saga.addOperator({ machines: 1 });
    let asked = 0;
    bunker.setFaults((request) => {
      if (!isOfDocument(machines, request)) return undefined;
      asked += 1;
      return { authUrl: PAGE, then: 'nothing' };
    });
    const run = await saga.start(id, { documentTypes: ['bitspire-fees'] });
    await until(() => asked > 0);
    expect(asked).toBe(1);
    const failure = await fails(RepublishFailed, run.result());
    expect(failure.failures).toMatchObject([
      { type: 'SignerApprovalPending', documentType: 'bitspire-fees' },
    ]);
    // One request for each of the three attempts.
    expect(asked).toBe(3);
    expect(JSON.stringify(failure.failures)).not.toContain('canary-approval');
    await worker.stop();
  }, 60_000);
});

describe('the client', () => {
  const clientOf = (bunker: DevBunker, url: string, clientSecretKey: Uint8Array): BunkerClient =>
    new BunkerClient({
      bunkerPubkey: bunker.signerPubkey,
      relays: [url],
      clientSecretKey,
      requestTimeoutMs: 20_000,
      approvalTimeoutMs: 20_000,
      connectTimeoutMs: 20_000,
      limiter: new Limiter(4),
    });

  test('while a person is asked for one request, the next is not sent; it is told the page, and goes on after', async () => {
    const relay = await startRelay();
    const bunker = await startBunker({ relays: [relay.url], secret: 's' });
    const client = clientOf(bunker, relay.url, generateSecretKey());
    await client.connect('s');
    let approve: () => void = () => undefined;
    const approved = new Promise<void>((resolve) => (approve = resolve));
    bunker.setFaults(({ method }) =>
      method === 'get_public_key' ? { authUrl: PAGE, after: approved } : undefined,
    );
    const shown: (string | undefined)[] = [];
    const first = client.getPublicKey({ onApproval: (url) => void shown.push(url) });
    await until(() => shown.length > 0);
    const heard = bunker.requests.length;
    const second = client.nip44Encrypt(bunker.userPubkey, 'text', {
      onApproval: (url) => void shown.push(url),
    });
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(bunker.requests.length).toBe(heard);
    approve();
    expect(await first).toBe(bunker.userPubkey);
    expect(await second).toEqual(expect.any(String));
    expect(shown).toEqual([PAGE, PAGE, undefined, undefined]);
    client.close();
    await bunker.stop();
    await relay.stop();
  });

  test('answers the challenge of a relay that demands authentication with its client key, once (NIP-42)', async () => {
    const clientSecretKey = generateSecretKey();
    const known = new Set<number>();
    const auths: SignedEvent[] = [];
    const relay = await startBareRelay({
      onConnect: (peer) => peer.send('AUTH', 'the-challenge'),
      onAuth(event, peer) {
        auths.push(event);
        known.add(peer.index);
        peer.send('OK', event.id, true, '');
      },
      onRequest(subscription, filters, peer, self) {
        const isClient = filters[0]?.['#p']?.[0] === getPublicKey(clientSecretKey);
        if (isClient && !known.has(peer.index))
          return peer.send('CLOSED', subscription, 'auth-required: who are you');
        self.answer(subscription, filters, peer);
      },
      onEvent(event, peer, self) {
        const isClient = event.pubkey === getPublicKey(clientSecretKey);
        if (isClient && !known.has(peer.index))
          return peer.send('OK', event.id, false, 'auth-required: who are you');
        self.keep(event);
        peer.send('OK', event.id, true, '');
      },
    });
    const bunker = await startBunker({ relays: [relay.url], secret: 's' });
    const client = clientOf(bunker, relay.url, clientSecretKey);
    await client.connect('s');
    expect(await client.getPublicKey()).toBe(bunker.userPubkey);
    expect(auths).toHaveLength(1);
    expect(auths[0]).toMatchObject({ kind: 22242, pubkey: getPublicKey(clientSecretKey) });
    expect(auths[0]?.tags).toEqual([
      ['relay', relay.url],
      ['challenge', 'the-challenge'],
    ]);
    expect(verifyEvent({ ...(auths[0] as SignedEvent) })).toBe(true);
    client.close();
    await bunker.stop();
    await relay.stop();
  });
});
