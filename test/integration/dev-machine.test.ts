import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Event } from 'nostr-tools/core';
import { encrypt, getConversationKey } from 'nostr-tools/nip44';
import { SimplePool, useWebSocketImplementation } from 'nostr-tools/pool';
import { finalizeEvent, generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import WebSocket, { WebSocketServer } from 'ws';
import { startMachine } from '../../dev/machine';
import type { DevMachine, MachineDocument } from '../../dev/machine';
import { startRelay } from '../../dev/relay';
import type { DevRelay } from '../../dev/relay';

useWebSocketImplementation(WebSocket);

const operator = generateSecretKey();
const nextOperator = generateSecretKey();
const atm = generateSecretKey();
const atmPubkey = getPublicKey(atm);
const nowS = Math.floor(Date.now() / 1000);
const WITHIN_MS = 30_000;

interface DocumentOptions {
  secretKey?: Uint8Array;
  type?: string;
  createdAtS?: number;
  content?: string;
}

function document(state: unknown, options: DocumentOptions = {}): Event {
  const secretKey = options.secretKey ?? operator;
  const template = {
    kind: 30078,
    created_at: options.createdAtS ?? nowS,
    tags: [['d', `${options.type ?? 'fees'}:${atmPubkey}`]],
    content: options.content ?? encrypt(JSON.stringify(state), getConversationKey(secretKey, atmPubkey)),
  };
  return finalizeEvent(template, secretKey);
}

describe('simulated machine', () => {
  let relays: DevRelay[];
  let pool: SimplePool;
  let machine: DevMachine;
  let seen: MachineDocument[];

  const publish = async (event: Event, to = relays) => {
    await Promise.all(
      pool.publish(
        to.map((relay) => relay.url),
        event,
      ),
    );
  };

  beforeEach(async () => {
    relays = [await startRelay(), await startRelay()];
    pool = new SimplePool();
    seen = [];
    machine = await startMachine({
      relays: relays.map((relay) => relay.url),
      secretKey: atm,
      name: 'Station 1',
      operatorPubkey: getPublicKey(operator),
      documentTypes: ['fees', 'cassettes'],
      onDocument: (found) => seen.push(found),
    });
  });

  afterEach(async () => {
    await machine.stop();
    pool.destroy();
    await Promise.all(relays.map((relay) => relay.stop()));
  });

  it('decrypts what arrives live, once for all relays', async () => {
    expect(machine).toMatchObject({ atmPubkey, name: 'Station 1' });
    const [fees, cassettes] = [document({ percent: 7 }), document([1, 2], { type: 'cassettes' })];
    const both = machine.waitFor(['fees', 'cassettes'], WITHIN_MS);
    await publish(fees);
    await publish(cassettes);
    await both;
    expect(seen.map(({ eventId }) => eventId)).toEqual([fees.id, cassettes.id]);
    expect(machine.documents().get('fees')).toEqual({
      atmPubkey,
      documentType: 'fees',
      eventId: fees.id,
      createdAtS: nowS,
      pubkey: getPublicKey(operator),
      state: { percent: 7 },
    });
    expect(machine.documents().get('cassettes')?.state).toEqual([1, 2]);
  });

  it('keeps the newest across relays, and of one second the lowest id', async () => {
    const pair = [document(1), document(2)].sort((a, b) => (a.id < b.id ? 1 : -1));
    const [highest, lowest] = pair as [Event, Event];
    await publish(highest, relays.slice(0, 1));
    await machine.waitFor(['fees'], WITHIN_MS);
    await publish(lowest, relays.slice(1));
    await publish(document(0, { createdAtS: nowS - 60 }), relays.slice(1));
    await publish(document(0, { type: 'cassettes' }), relays.slice(1));
    await machine.waitFor(['cassettes'], WITHIN_MS);
    expect(seen.map(({ eventId }) => eventId).slice(0, 2)).toEqual([highest.id, lowest.id]);
    expect(seen).toHaveLength(3);
    expect(machine.documents().get('fees')?.eventId).toBe(lowest.id);
  });

  it('refuses what it cannot open, and keeps the document before it', async () => {
    await publish(document('good'));
    const garbage = document('', { content: 'not a ciphertext', createdAtS: nowS + 1 });
    await publish(garbage);
    await publish(document('', { type: 'cassettes' }));
    await machine.waitFor(['fees', 'cassettes'], WITHIN_MS);
    expect(machine.refused()).toEqual([{ eventId: garbage.id, reason: expect.any(String) as string }]);
    expect(machine.documents().get('fees')?.state).toBe('good');
  });

  it('forgets and reads again when its operator changes', async () => {
    await publish(document('old'));
    await publish(document('new', { secretKey: nextOperator, createdAtS: nowS - 60 }));
    await machine.waitFor(['fees'], WITHIN_MS);
    expect(machine.documents().get('fees')?.state).toBe('old');
    await machine.setOperator(getPublicKey(nextOperator));
    expect(machine.documents().get('fees')).toMatchObject({
      state: 'new',
      pubkey: getPublicKey(nextOperator),
    });
    await publish(document('ignored', { createdAtS: nowS + 60 }));
    await publish(document('newer', { secretKey: nextOperator, createdAtS: nowS }));
    await publish(document('', { secretKey: nextOperator, type: 'cassettes' }));
    await machine.waitFor(['cassettes'], WITHIN_MS);
    expect(machine.documents().get('fees')?.state).toBe('newer');
  });

  it('subscribes again after its relays dropped it, and starts with a relay that is down', async () => {
    relays.forEach((relay) => relay.dropConnections());
    pool.destroy();
    pool = new SimplePool();
    await publish(document('after the drop'));
    await machine.waitFor(['fees'], WITHIN_MS);
    const [up, down] = relays as [DevRelay, DevRelay];
    await down.stop();
    await machine.stop();
    machine = await startMachine({
      relays: [up.url, down.url],
      secretKey: atm,
      name: 'Station 2',
      operatorPubkey: getPublicKey(operator),
      documentTypes: ['fees'],
    });
    expect(machine.documents().get('fees')?.state).toBe('after the drop');
    relays[1] = await startRelay();
  });

  it('believes no relay: what was not asked for and what is not properly signed is left', async () => {
    const good = document('good');
    const forged = { ...document('forged', { createdAtS: nowS + 1 }), sig: good.sig };
    const foreign = document('foreign', { secretKey: nextOperator, createdAtS: nowS + 2 });
    const liar = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    liar.on('connection', (socket) =>
      socket.on('message', (data) => {
        const [, id] = JSON.parse(data.toString()) as string[];
        const frames = ['x', {}, ['EVENT', id, { tags: 1 }], ['EVENT', id, foreign], ['EVENT', id, forged]];
        [...frames, ['EVENT', id, good], ['EOSE', id]].forEach((frame) => socket.send(JSON.stringify(frame)));
      }),
    );
    await once(liar, 'listening');
    const gullible = await startMachine({
      relays: [`ws://127.0.0.1:${(liar.address() as AddressInfo).port}`],
      secretKey: atm,
      name: 'Station 3',
      operatorPubkey: getPublicKey(operator),
      documentTypes: ['fees'],
    });
    expect(gullible.documents().get('fees')?.state).toBe('good');
    expect(gullible.refused()).toEqual([{ eventId: forged.id, reason: 'the signature is not valid' }]);
    await gullible.stop();
    await new Promise((resolve) => liar.close(resolve));
  });

  it('says which documents never came, in time or before it was stopped', async () => {
    await publish(document(1));
    await machine.waitFor(['fees'], WITHIN_MS);
    await expect(machine.waitFor(['fees', 'cassettes'], 20)).rejects.toThrow(
      /Station 1 has no cassettes .* 20 ms/,
    );
    const waiting = expect(machine.waitFor(['cassettes'], 60_000)).rejects.toThrow(/was stopped/);
    await machine.stop();
    await waiting;
  });
});
