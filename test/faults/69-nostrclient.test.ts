import { startNostrclientGateway } from '../../dev/nostrclient-gateway';
import { freePort } from '../../embedded/free-port';
import { type Saga, startSaga } from '../support/saga';
import { until } from '../support/until';

let saga: Saga;
beforeAll(async () => {
  saga = await startSaga({ relays: 2 });
});
afterAll(() => saga.stop());

test('69: nostrclient with a lost relay and an EOSE of each other one publishes; with its ws_id switched off it says what to do in LNbits', async () => {
  const gateway = await startNostrclientGateway({
    relays: [...saga.relays.map(({ url }) => url), `ws://127.0.0.1:${await freePort()}`],
    wsId: 'canary-ws-id',
    timeScale: 0.02,
  });
  saga.onStop(() => gateway.stop());
  await saga.startWorker({ env: { REPUBLISH_RELAYS: gateway.url, REPUBLISH_DOCUMENT_TIMEOUT_MS: '3000' } });
  const operator = await saga.addOperator({ machines: 2 });
  const ids = Object.values(await (await saga.start(operator.id)).result()).flat();
  expect(ids).toHaveLength(4);
  // One of them is enough for the run.
  for (const relay of saga.relays)
    await until(() => ids.every((id) => relay.events().some((event) => event.id === id)));

  gateway.settings.private_ws = false;
  gateway.dropConnections();
  const next = await saga.addOperator({ machines: 1 });
  const failing = await saga.start(next.id);
  await expect(failing.result()).rejects.toMatchObject({ type: 'RepublishIncomplete', failed: 2 });
  const [audit] = await saga.audits(next.id);
  const said = JSON.stringify(audit);
  expect(said).toMatch(
    /refuses its ws_id \(HTTP 403\): it is wrong, or switched off in Nostr Client \(private_ws/,
  );
  expect(said).not.toContain('canary');
}, 60_000);
