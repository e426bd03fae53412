/**
 * Reads accounts, machines and states from an HTTP API in place of LNbits' database. `source` in
 * republish.config.json names this file; the worker and every command load it.
 */
import { RepublishError } from 'republish-operator-configs/worker';

const { FLEET_API_URL = 'http://127.0.0.1:8400' } = process.env;

/** @type {import('republish-operator-configs/worker').Source} */
export default {
  name: `the fleet API at ${new URL(FLEET_API_URL).host}`,

  async account(operatorUserId) {
    const text = await get(`/operators/${encodeURIComponent(operatorUserId)}`);
    return text === undefined ? undefined : { id: operatorUserId, pubkey: JSON.parse(text).pubkey };
  },

  async machines({ operatorUserId, after = '', machineIds, limit }) {
    const text = await get(`/operators/${encodeURIComponent(operatorUserId)}/machines`);
    return (
      JSON.parse(text ?? '[]')
        // In the order of the ids' bytes, page by page: `after` is the last id of the page before.
        .sort((one, other) => Buffer.compare(Buffer.from(one.id), Buffer.from(other.id)))
        .filter(({ id }) => Buffer.compare(Buffer.from(id), Buffer.from(after)) > 0)
        .filter(({ id }) => machineIds === undefined || machineIds.includes(id))
        .slice(0, limit)
        .map(({ id, name, pubkey }) => ({ id, name, machineNpub: pubkey }))
    );
  },

  async states(documentType, machineIds) {
    const states = new Map();
    await Promise.all(
      machineIds.map(async (id) => {
        const document = await get(`/machines/${encodeURIComponent(id)}/${documentType}`);
        // The text as the API sent it: JSON.parse would change 1.10 into 1.1. A row with the one key `state`
        // is the document itself.
        if (document !== undefined) states.set(id, [`{"state":${document}}`]);
      }),
    );
    return states;
  },

  async operators({ after = '', limit }) {
    return JSON.parse((await get('/operators')) ?? '[]')
      .sort()
      .filter((id) => id > after)
      .slice(0, limit);
  },
};

/** @returns the body. Undefined: it does not exist */
async function get(path) {
  const response = await fetch(new URL(path, FLEET_API_URL)).catch(() => {
    throw new RepublishError('SourceUnavailable', 'the fleet API cannot be reached');
  });
  if (response.status === 404) return undefined;
  if (response.ok) return response.text();
  const type = response.status >= 500 ? 'SourceUnavailable' : 'SourceMisconfigured';
  throw new RepublishError(type, `the fleet API answers ${response.status}`);
}
