/**
 * Stands for an API that knows operators, machines and the documents of each machine. It serves a file, and
 * reads it again for each request.
 *
 *     FLEET_FILE=./fleet.json node fleet-api.mjs
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

const { FLEET_FILE = './fleet.json', FLEET_PORT = '8400' } = process.env;

const server = createServer((request, response) => {
  const [, what, id, part] = new URL(request.url, 'http://api').pathname.split('/').map(decodeURIComponent);
  const { operators, machines } = JSON.parse(readFileSync(FLEET_FILE, 'utf8'));
  const found =
    what === 'machines'
      ? // Documents are kept as text, as they are sent.
        machines[id]?.documents[part]
      : id === undefined
        ? JSON.stringify(Object.keys(operators))
        : part === 'machines'
          ? JSON.stringify(machinesOf(machines, id))
          : operators[id] && JSON.stringify(operators[id]);
  response.writeHead(found === undefined ? 404 : 200, { 'content-type': 'application/json' }).end(found);
});
server.listen(Number(FLEET_PORT), '127.0.0.1', () =>
  console.log(`the fleet API listens at http://127.0.0.1:${server.address().port}`),
);
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => process.exit(0));

function machinesOf(machines, operator) {
  return Object.entries(machines)
    .filter(([, machine]) => machine.operator === operator)
    .map(([id, { name, pubkey }]) => ({ id, name, pubkey }));
}
