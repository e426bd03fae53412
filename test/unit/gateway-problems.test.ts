import { gatewayProblem, GatewayProblem, silentGateway } from '../../nostr/relays/gateway-problems';
import { HandshakeRefused } from '../../nostr/relays/handshake';
import { plainText } from '../../nostr/relays/plain-text';

const problemOf = (status: number): Error => gatewayProblem(new HandshakeRefused(status));

test('a refused handshake names what to look at in LNbits, within what a failure may show', () => {
  const refused = problemOf(403) as GatewayProblem;
  for (const text of [refused.message, refused.remedy]) {
    expect(text).toMatch(/ws_id.*private_ws.*public_ws/s);
  }
  expect(refused.remedy).toContain('docs/nostrclient.md');
  for (const { message } of [refused, problemOf(404), silentGateway()]) {
    expect(plainText(message)).toBe(message);
  }
});

test('whatever else is wrong keeps its own words', () => {
  for (const error of [problemOf(502), new Error('connect ECONNREFUSED 127.0.0.1:5000')]) {
    expect(error).not.toBeInstanceOf(GatewayProblem);
    expect(gatewayProblem(error)).toBe(error);
  }
});
