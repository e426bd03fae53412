// Encrypts everything that Temporal stores of a run (AES-256-GCM), in the format of Temporal's own encryption
// samples: nonce, ciphertext and tag of the payload as protobuf. Workers, callers and commands all load it:
// `dataConverter` in republish.config.json, or REPUBLISH_DATA_CONVERTER. CODEC_KEY is 64 hex digits: openssl
// rand -hex 32
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

const KEY_ID = 'republish';
const key = Buffer.from(process.env.CODEC_KEY ?? '', 'hex');
if (key.length !== 32) throw new Error('CODEC_KEY must have 64 hex digits');

const [NONCE, TAG] = [12, 16];

function seal(payload) {
  const nonce = randomBytes(NONCE);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  const data = [nonce, cipher.update(toProtobuf(payload)), cipher.final(), cipher.getAuthTag()];
  const metadata = { encoding: Buffer.from('binary/encrypted'), 'encryption-key-id': Buffer.from(KEY_ID) };
  return { metadata, data: Buffer.concat(data) };
}

function open(payload) {
  // A payload from before the codec was used.
  if (String(Buffer.from(payload.metadata?.encoding ?? '')) !== 'binary/encrypted') return payload;
  const data = Buffer.from(payload.data);
  // A shorter tag would be easier to guess.
  const decipher = createDecipheriv('aes-256-gcm', key, data.subarray(0, NONCE), { authTagLength: TAG });
  decipher.setAuthTag(data.subarray(-TAG));
  return fromProtobuf(Buffer.concat([decipher.update(data.subarray(NONCE, -TAG)), decipher.final()]));
}

export const payloadCodecs = [
  { encode: async (payloads) => payloads.map(seal), decode: async (payloads) => payloads.map(open) },
];

// temporal.api.common.v1.Payload: map<string, bytes> metadata = 1; bytes data = 2;

function toProtobuf({ metadata, data }) {
  const entries = Object.entries(metadata ?? {}).map(([name, value]) =>
    field(1, Buffer.concat([field(1, Buffer.from(name)), field(2, value)])),
  );
  return Buffer.concat([...entries, field(2, data ?? Buffer.alloc(0))]);
}

function fromProtobuf(bytes) {
  const payload = { metadata: {}, data: Buffer.alloc(0) };
  for (const [number, value] of fields(bytes)) {
    if (number === 2) payload.data = value;
    if (number !== 1) continue;
    const entry = new Map(fields(value));
    payload.metadata[String(entry.get(1))] = entry.get(2) ?? Buffer.alloc(0);
  }
  return payload;
}

function field(number, bytes) {
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes]);
}

function varint(value) {
  return value < 128
    ? Buffer.from([value])
    : Buffer.concat([Buffer.from([(value % 128) + 128]), varint(Math.floor(value / 128))]);
}

function fields(bytes) {
  const found = [];
  let at = 0;
  const number = () => {
    for (let value = 0, unit = 1; ; unit *= 128) {
      const byte = bytes[at++];
      value += (byte % 128) * unit;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const [tag, length] = [number(), number()];
    found.push([Math.floor(tag / 8), bytes.subarray(at, (at += length))]);
  }
  return found;
}
