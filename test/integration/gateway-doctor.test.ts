import { documentTypes } from '../../documents/registry';
import type { Configuration } from '../../configuration/schema';
import { freePort } from '../../embedded/free-port';
import { startNostrclientGateway } from '../../dev/nostrclient-gateway';
import { checkRelays } from '../../inspection/doctor/relays';
import { probeRelays } from '../../inspection/relay-probe';
import { type BareRelay, startBareRelay } from '../support/bare-relay';

const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const undo of cleanUp.splice(0).reverse()) await undo();
});

async function bare(): Promise<BareRelay> {
  const relay = await startBareRelay();
  cleanUp.push(() => relay.stop());
  return relay;
}
async function gatewayTo(relays: string[]): Promise<Awaited<ReturnType<typeof startNostrclientGateway>>> {
  const gateway = await startNostrclientGateway({ relays, wsId: 'canary-ws-id', timeScale: 0.02 });
  cleanUp.push(() => gateway.stop());
  return gateway;
}
/** What the doctor says of the one relay there is. */
async function examined(url: string) {
  const configuration = { relays: [url], relayTimeoutMs: 5_000, quorum: 1, maxStateBytes: 1_000 };
  const [relay, quorum] = checkRelays(
    configuration as unknown as Configuration,
    documentTypes,
    await probeRelays(configuration),
  );
  expect(JSON.stringify([relay, quorum])).not.toContain('canary');
  return { ...relay, quorum: quorum?.status };
}

test('the doctor names the ws_id and both settings where a gateway refuses', async () => {
  const gateway = await gatewayTo([(await bare()).url]);
  const expected = {
    status: 'fail',
    message: expect.stringMatching(
      /^cannot be reached: the gateway refuses its ws_id \(HTTP 403\)/,
    ) as string,
    remedy: expect.stringMatching(
      /^Check the ws_id in REPUBLISH_RELAYS.*private_ws.*public_ws.*docs\/nostrclient\.md\.$/,
    ) as string,
    quorum: 'fail',
  };
  expect(await examined(`${gateway.url}-wrong`)).toMatchObject(expected);
  expect(await examined(gateway.publicUrl)).toMatchObject(expected);
  expect(await examined(gateway.url)).toMatchObject({
    status: 'ok',
    message: 'the gateway answers; what is behind it does not show itself',
  });
  gateway.settings.private_ws = false;
  expect(await examined(gateway.url)).toMatchObject(expected);
});

test('the doctor says what to do in LNbits where a gateway sees no relay', async () => {
  const gateway = await gatewayTo([`ws://127.0.0.1:${await freePort()}`]);
  expect(await examined(gateway.url)).toMatchObject({
    status: 'fail',
    message: expect.stringContaining('no relay behind the gateway answers') as string,
    remedy: expect.stringMatching(
      /page of Nostr Client.*60 s times its errors.*delete and add the relay/,
    ) as string,
  });
});

test('a relay that is no gateway keeps the words and the remedy of relays', async () => {
  const url = `ws://127.0.0.1:${await freePort()}`;
  const [facts] = await probeRelays({ relays: [url], relayTimeoutMs: 5_000 });
  expect(facts).not.toHaveProperty('remedy');
  expect(await examined(url)).toMatchObject({
    remedy: expect.stringContaining('its name, port and certificate') as string,
  });
});
