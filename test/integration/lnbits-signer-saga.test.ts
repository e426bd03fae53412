import { randomUUID } from 'node:crypto';
import { nsecEncode } from 'nostr-tools/nip19';
import { generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import { startBunker } from '../../dev/bunker';
import { seedOperator } from '../../dev/seed';
import type { RepublishPlan } from '../../inspection/plan';
import { republish } from '../support/command-line';
import { startFleetOf, startPatientSaga } from '../support/fleet';
import type { Saga } from '../support/saga';

let saga: Saga;
let env: Record<string, string>;
beforeAll(async () => {
  saga = await startPatientSaga();
  const ours = {
    REPUBLISH_SIGNERS: 'lnbits',
    REPUBLISH_LNBITS_BUNKER_RELAYS: saga.relays[0]?.url ?? '',
  };
  env = { ...saga.env, ...ours };
  await saga.startWorker({ env: ours });
});
afterAll(() => saga.stop());

/** An operator whose bunker is as nsecbunkerd is; nothing was paired here. */
async function addOperator(machines: number) {
  const [key, clientKey] = [generateSecretKey(), generateSecretKey()];
  const bunker = await startBunker({
    relays: [saga.relays[0]?.url ?? ''],
    userSecretKey: key,
    signerSecretKey: key,
    knownClients: [getPublicKey(clientKey)],
    grants: ['nip44_encrypt', 'sign_event:30078'],
  });
  saga.onStop(() => bunker.stop());
  const id = `op-${randomUUID().slice(0, 8)}`;
  await seedOperator(saga.database, { id, pubkey: getPublicKey(key), machines });
  const nsec = nsecEncode(clientKey);
  await saga.database.query(
    `UPDATE accounts SET signer_type = 'RemoteBunkerSigner', signer_config = $2 WHERE id = $1`,
    [id, JSON.stringify({ client_nsec: nsec, token: 'secret-token', policy_id: 7 })],
  );
  return { id, bunker, nsec, clientKeyHex: Buffer.from(clientKey).toString('hex') };
}

test('a fleet whose operators were never paired here signs with what LNbits has', async () => {
  const operators = [await addOperator(3), await addOperator(2)];
  const [first] = operators;
  const planned = await republish(['plan', first?.id ?? '', '--json'], env);
  expect({ code: planned.code, stderr: planned.stderr }).toMatchObject({ code: 0 });
  expect((JSON.parse(planned.stdout) as RepublishPlan).signer).toMatchObject({
    kind: 'lnbits-bunker',
    from: 'lnbits',
    answers: true,
    uses: { nip44_encrypt: 7, sign_event: 6, get_public_key: 1 },
  });

  const fleet = await startFleetOf(saga, { all: true });
  expect((await fleet.result()).operators).toMatchObject({ complete: 2, incomplete: 0, failed: 0 });
  for (const { id, bunker } of operators) {
    expect((await republish(['verify', id], env)).code).toBe(0);
    const methods = new Set(bunker.requests.map(({ method }) => method));
    expect([...methods].sort()).toEqual(['get_public_key', 'nip44_encrypt', 'sign_event']);
  }

  // Used and never stored, nor told.
  const kept = await saga.database.query<{ text: string }>(
    `SELECT coalesce(string_agg(t::text, ' '), '') AS text FROM (
       SELECT to_jsonb(s) AS t FROM republish.signers s UNION ALL SELECT to_jsonb(p) FROM republish.pairings p
       UNION ALL SELECT to_jsonb(a) FROM republish.audit_log a UNION ALL SELECT to_jsonb(d) FROM republish.documents d) AS t`,
  );
  const history = await saga.client.workflow
    .getHandle(`republish-operator-configs/${first?.id}`)
    .fetchHistory();
  const everything = [kept[0]?.text, JSON.stringify(history), saga.logs.join('\n'), planned.stdout].join(
    '\n',
  );
  for (const { nsec, clientKeyHex } of operators) {
    expect(everything).not.toContain(nsec);
    expect(everything).not.toContain(clientKeyHex);
  }
  expect(everything).not.toContain('secret-token');
}, 180_000);
