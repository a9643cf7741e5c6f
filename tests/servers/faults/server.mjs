// An HTTPS server that misbehaves on order, to test what a client does about it. Plain Node, no dependencies.
//
//   node server.mjs --cert FILE --key FILE --log FILE --faults NAME[,NAME…]
//                   [--port 0] [--ready-file FILE] [--tls 1.0|1.1|1.2|1.3|none|silent] [--client-ca FILE [--optional-client]]
//                   [--retry-after TEXT] [--redirect-to URL] [--to URL] [--lifetime SECONDS]
//   node server.mjs --list
//
// The first request gets the first fault, the second the second; the last one repeats. GET …/metadata and /elsewhere,
// where redirects lead, are answered well and use up no fault. Faults that begin with "pass" hand the request to the real
// server --to. Every event is one line in the log, with sizes but never a body, a query or a header value:
//
//   1 connect
//   1 secure TLSv1.3                        or: 1 refused ERR_SSL_… (the handshake failed)
//   1 request POST /fhir/R4 fault=503 authorization=yes body=1234 complete
//   1 request POST /fhir/R4 fault=ok authorization=yes body=1234 complete entries=3      a Bundle
//   1 close application-bytes=1503          what the client sent inside TLS: 0 when it refused the certificate
//   1 close raw-bytes=517                   with --tls none or silent: its ClientHello is no request
import { appendFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { parseArgs } from 'node:util';
import { FAULTS, metadata } from './faults.mjs';

const OPTIONS = {
  cert: { type: 'string' },
  key: { type: 'string' },
  log: { type: 'string' },
  faults: { type: 'string', default: 'ok' },
  port: { type: 'string', default: '0' },
  'ready-file': { type: 'string' },
  tls: { type: 'string', default: '' },
  'client-ca': { type: 'string' },
  'optional-client': { type: 'boolean', default: false },
  'retry-after': { type: 'string', default: '1' },
  'redirect-to': { type: 'string' },
  to: { type: 'string' },
  lifetime: { type: 'string', default: '600' },
  list: { type: 'boolean', default: false },
};

const { values: options } = parseArgs({ options: OPTIONS });
if (options.list) {
  console.log(Object.keys(FAULTS).join('\n'));
  process.exit(0);
}
const script = options.faults.split(',');
check();

let connections = 0;
let requests = 0;
const server = options.tls === 'silent' ? net.createServer() : createServer();
server.on('connection', onConnection);
server.listen(Number(options.port), '127.0.0.1', announce);
setTimeout(() => process.exit(0), Number(options.lifetime) * 1000); // no test leaves it running for ever
process.on('SIGTERM', () => process.exit(0));

function check() {
  const unknown = script.filter((name) => !Object.hasOwn(FAULTS, name));
  const missing = ['log', ...(/^(none|silent)$/.test(options.tls) ? [] : ['cert', 'key'])].filter((n) => !options[n]);
  if (unknown.length || missing.length || !/^(|1\.[0-3]|none|silent)$/.test(options.tls)) {
    const words = [...missing.map((n) => `--${n} is missing`), ...unknown.map((n) => `unknown fault ${n}; see --list`)];
    console.error('server.mjs: ' + (words.join('; ') || `unknown --tls ${options.tls}`));
    process.exit(2);
  }
}

function createServer() {
  if (options.tls === 'none') {
    return http.createServer(onRequest);
  }
  const version = options.tls && (options.tls === '1.0' ? 'TLSv1' : `TLSv${options.tls}`);
  const tls = {
    cert: readFileSync(options.cert),
    key: readFileSync(options.key),
    minVersion: version || 'TLSv1.2',
    maxVersion: version || 'TLSv1.3',
    // OpenSSL refuses TLS 1.0 and 1.1 above security level 0.
    ciphers: /^1\.[01]$/.test(options.tls) ? 'DEFAULT@SECLEVEL=0' : undefined,
  };
  if (options['client-ca']) {
    Object.assign(tls, { ca: readFileSync(options['client-ca']), requestCert: true, rejectUnauthorized: !options['optional-client'] });
  }
  const created = https.createServer(tls, onRequest);
  created.on('secureConnection', onSecure);
  created.on('tlsClientError', (error, socket) => note(numberOf(socket), `refused ${error.code ?? error.message}`));
  return created;
}

// Sockets of TLS connections wrap the socket that was numbered when it connected.
function numberOf(socket) {
  return socket?._parent?.number ?? socket?.number ?? 0;
}

function onConnection(socket) {
  socket.number = ++connections;
  note(socket.number, 'connect');
  socket.on('error', () => undefined);
  if (options.tls === 'silent' || options.tls === 'none') {
    countBytes(socket, socket.number, 'raw-bytes');
  } else {
    socket.on('close', () => socket.secured || note(socket.number, 'close application-bytes=0'));
  }
}

function onSecure(socket) {
  socket.on('error', () => undefined);
  if (socket._parent) {
    socket._parent.secured = true;
  }
  note(numberOf(socket), `secure ${socket.getProtocol()}`);
  countBytes(socket, numberOf(socket), 'application-bytes');
}

function countBytes(socket, number, unit) {
  let bytes = 0;
  socket.on('data', (chunk) => (bytes += chunk.length));
  socket.on('close', () => note(number, `close ${unit}=${bytes}`));
}

async function onRequest(request, response) {
  const path = request.url.split('?')[0];
  const isMetadata = request.method === 'GET' && path.endsWith('/metadata');
  const name = isMetadata || path === '/elsewhere' ? 'ok' : script[Math.min(requests++, script.length - 1)];
  const fault = FAULTS[name];
  const { chunks, size, complete } = await readBody(request, fault.readAtMost);
  const authorization = request.headers.authorization ? 'yes' : 'no';
  const end = complete ? 'complete' : 'cut';
  const body = Buffer.concat(chunks);
  const what = `request ${request.method} ${path} fault=${name} authorization=${authorization} body=${size} ${end}`;
  note(numberOf(request.socket), what + entriesOf(body));
  const context = { request, response, path, options, body, raw: rawSocket(request.socket) };
  response.on('error', () => undefined);
  isMetadata ? metadata(context) : await fault.answer(context);
}

function entriesOf(body) {
  try {
    const sent = JSON.parse(body);
    return Array.isArray(sent.entry) ? ` entries=${sent.entry.length}` : '';
  } catch {
    return '';
  }
}

// Reads the body, whole or until a fault wants to strike in its middle.
function readBody(request, readAtMost = Infinity) {
  return new Promise((resolve) => {
    const chunks = [];
    let size = 0;
    const done = (complete) => resolve({ chunks, size, complete });
    request.on('data', (chunk) => {
      chunks.push(chunk);
      size += chunk.length;
      if (size >= readAtMost) {
        request.pause();
        done(request.complete);
      }
    });
    request.on('end', () => done(true));
    request.on('close', () => done(request.complete));
    request.on('error', () => done(false));
  });
}

function rawSocket(socket) {
  return socket._parent ?? socket;
}

function note(number, text) {
  appendFileSync(options.log, `${number} ${text}\n`);
}

// The ready file appears whole or not at all, so that a waiting test never reads half a number.
function announce() {
  const { port } = server.address();
  if (options['ready-file']) {
    writeFileSync(options['ready-file'] + '.part', `${port}\n`);
    renameSync(options['ready-file'] + '.part', options['ready-file']);
  }
  console.log(`${options.tls === 'none' ? 'http' : 'https'}://127.0.0.1:${port}/fhir/R4`);
}
