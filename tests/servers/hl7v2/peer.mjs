// Medplum's MLLP client and server as a peer: send PORT FILE…, listen READY-FILE. Its client and server make plain connections;
// with --tls CA CERTIFICATE KEY its Hl7Connection speaks over a connection that Node has secured, both sides with certificates.
import { Hl7Message } from '@medplum/core';
import { Hl7Client, Hl7Connection, Hl7Server } from '@medplum/hl7';
import { once } from 'node:events';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { connect, createServer as createTlsServer } from 'node:tls';

const line = process.argv.slice(2);
const at = line.indexOf('--tls');
const tls = at < 0 ? undefined : secrets(line.splice(at, 4).slice(1));
const [what, ...rest] = line;

function secrets([ca, cert, key]) {
  return { ca: readFileSync(ca), cert: readFileSync(cert), key: readFileSync(key), minVersion: 'TLSv1.2' };
}

async function connection(port) {
  if (!tls) return new Hl7Client({ host: '127.0.0.1', port: Number(port), keepAlive: true });
  const socket = connect({ host: 'localhost', port: Number(port), ...tls });
  await once(socket, 'secureConnect');
  return new Hl7Connection(socket);
}

async function send(port, ...files) {
  const client = await connection(port);
  for (const file of files) {
    const message = Hl7Message.parse(readFileSync(file, 'utf8').replaceAll('\n', '\r'));
    const answer = (await client.sendAndWait(message, { timeoutMs: 20000 })).getSegment('MSA');
    console.log(message.header.getField(10).toString(), answer.getField(1).toString(), answer.getField(2).toString());
  }
  await client.close();
  process.exit(0); // its timers of 20 s would keep the process
}

function serve(connection) {
  connection.addEventListener('message', ({ message }) => {
    const { header } = message;
    console.log(header.getField(10).toString(), header.getComponent(9, 1), header.getComponent(9, 2));
    connection.send(message.buildAck());
  });
}

// Its server takes a port and does not tell which one it was given, so a free one is looked for first.
async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

async function listen(ready) {
  let port;
  if (tls) {
    const server = createTlsServer({ ...tls, requestCert: true }, (socket) => serve(new Hl7Connection(socket))).listen(0, '127.0.0.1');
    await once(server, 'listening');
    port = server.address().port;
  } else {
    port = await freePort();
    const server = new Hl7Server(serve);
    server.start(port);
    await once(server.server, 'listening');
  }
  writeFileSync(`${ready}.part`, `${port}\n`);
  renameSync(`${ready}.part`, ready);
}

await { send, listen }[what](...rest);
