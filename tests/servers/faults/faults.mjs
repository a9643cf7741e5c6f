// The faults by name. `answer` gets { request, response, path, options, body, raw }; `raw` is the TCP socket under TLS.
// `readAtMost` makes a fault strike while the client is still sending.
import { randomUUID } from 'node:crypto';
import https from 'node:https';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';

const MIB = 1024 * 1024;
const HTML = '<!DOCTYPE html><html><body><h1>It works!</h1></body></html>\n';

export const FAULTS = {
  ok: { answer: (c) => json(c, ...good(c)) },

  // A refusal with an OperationOutcome.
  ...statuses([400, 403, 404, 405, 408, 409, 410, 412, 413, 422, 500, 501, 504]),
  401: { answer: (c) => json(c, 401, outcome('login'), { 'WWW-Authenticate': 'Bearer realm="fhir"' }) },
  429: { answer: (c) => json(c, 429, outcome('throttled'), { 'Retry-After': c.options['retry-after'] }) },
  '400-html': { answer: (c) => send(c, 400, HTML, { 'Content-Type': 'text/html' }) },
  502: { answer: (c) => send(c, 502, HTML, { 'Content-Type': 'text/html' }) },
  503: { answer: (c) => json(c, 503, outcome('transient'), { 'Retry-After': c.options['retry-after'] }) },
  '429-bare': { answer: (c) => send(c, 429, '') },
  '503-bare': { answer: (c) => send(c, 503, '') },

  // Another address. By default it is this server: a client that follows shows up in the log.
  ...redirects([301, 302, 303, 307, 308]),

  // 200, but no success.
  '200-empty': { answer: (c) => json(c, 200, '') },
  '200-html': { answer: (c) => send(c, 200, HTML, { 'Content-Type': 'text/html' }) },
  '200-html-as-json': { answer: (c) => json(c, 200, HTML) },
  '200-truncated': { answer: (c) => json(c, 200, half(JSON.stringify(good(c)[1]))) },
  '200-wrong-type': { answer: (c) => json(c, 200, { resourceType: 'Patient', id: '1' }) },
  '200-wrong-bundle': { answer: (c) => json(c, 200, { resourceType: 'Bundle', type: 'searchset', total: 0 }) },
  '200-outcome': { answer: (c) => json(c, 200, outcome('processing')) },
  '200-deep': { answer: (c) => json(c, 200, '['.repeat(100_000) + ']'.repeat(100_000)) },

  // A transaction-response that is not what was asked.
  'entries-none': changed(() => []),
  'entries-fewer': changed((entries) => entries.slice(0, -1)),
  'entries-more': changed((entries) => [...entries, entries[0]]),
  'entries-reordered': changed((entries) => [...entries].reverse()),
  'entry-422': changedLast((e) => ({ ...e, response: { status: '422', outcome: outcome('invariant') } })),
  'entry-429': changedLast((e) => ({ ...e, response: { status: '429 Too Many Requests', outcome: outcome('throttled') } })),
  'entry-500': changedLast((e) => ({ ...e, response: { status: '500', outcome: outcome('exception') } })),
  'entry-no-location': changedLast(({ response: { location, ...rest } }) => ({ response: rest })),
  'entry-no-status': changedLast(({ response: { status, ...rest } }) => ({ response: rest })),
  'entry-bad-status': changedLast((e) => ({ response: { ...e.response, status: 'fine' } })),
  'entry-no-response': changedLast(() => ({})),
  'entry-wrong-type': changedLast((e) => ({ response: { ...e.response, location: 'Banana/1/_history/1' } })),
  'entry-absolute': changed((entries, c) => entries.map((e) => absolute(e, c))),
  'entry-bare-status': changed((entries) => entries.map((e) => ({ response: { ...e.response, status: '201' } }))),

  // A real server behind it, whose answers do not arrive as they were given.
  pass: { answer: async (c) => relay(c, await ask(c)) },
  'pass-lost-writes': { answer: (c) => passWrite(c, () => c.request.socket.destroy()) },
  'pass-406-writes': { answer: (c) => passWrite(c, () => send(c, 406, '')) },
  'pass-409-writes': { answer: (c) => passWrite(c, () => json(c, 409, outcome('conflict'))) },
  'pass-202-writes': { answer: (c) => passWrite(c, () => send(c, 202, '')) },
  'pass-ignored-search': { answer: async (c) => relay(c, await ask(c, c.path)) },
  'pass-altered-reads': { answer: async (c) => relay(c, altered(c, await ask(c))) },

  // Too much, too slow, never.
  huge: { answer: (c) => json(c, 200, Buffer.alloc(256 * MIB, ' ')) },
  endless: { answer: endless },
  'gzip-bomb': { answer: gzipBomb },
  'header-flood': { answer: (c) => json(c, 200, {}, { 'X-Flood': 'x'.repeat(2 * MIB) }) },
  slow: { answer: slow },
  hang: { answer: () => undefined },

  // The connection goes away.
  close: { answer: (c) => c.request.socket.destroy() },
  'close-early': { readAtMost: 1, answer: (c) => c.request.socket.destroy() },
  'close-in-answer': { answer: cutOff },
  reset: { answer: (c) => c.raw.resetAndDestroy() },
  'reset-early': { readAtMost: 1, answer: (c) => c.raw.resetAndDestroy() },
  'reset-in-answer': { answer: (c) => beginAnswer(c, () => c.raw.resetAndDestroy()) },
  'refuse-early': { readAtMost: 1, answer: (c) => json(c, 413, outcome('too-long'), { Connection: 'close' }) },
};

export function metadata(c) {
  const rest = [{ mode: 'server', interaction: [{ code: 'transaction' }, { code: 'batch' }] }];
  const statement = { resourceType: 'CapabilityStatement', status: 'active', date: '2025-01-01', kind: 'instance' };
  json(c, 200, { ...statement, fhirVersion: '4.0.1', format: ['json'], rest });
}

function statuses(codes) {
  return Object.fromEntries(codes.map((code) => [code, { answer: (c) => json(c, code, outcome('processing')) }]));
}

function redirects(codes) {
  const elsewhere = (c) => c.options['redirect-to'] ?? `https://${c.request.headers.host}/elsewhere`;
  return Object.fromEntries(
    codes.map((code) => [code, { answer: (c) => send(c, code, '', { Location: elsewhere(c) }) }])
  );
}

// A well-formed answer to whatever was asked, though nothing is stored: [status, resource].
function good({ request, body, path }) {
  if (request.method === 'GET') {
    return [200, { resourceType: 'Bundle', type: 'searchset', total: 0 }];
  }
  const sent = parse(body);
  if (sent?.resourceType === 'Bundle' && Array.isArray(sent.entry)) {
    const entry = sent.entry.map((e) => ({ response: stored(e.resource?.resourceType ?? 'Basic') }));
    return [200, { resourceType: 'Bundle', type: `${sent.type}-response`, entry }];
  }
  return [201, { ...sent, id: path.split('/').at(-1), meta: { versionId: '1' } }];
}

function stored(type) {
  const lastModified = '2025-01-01T00:00:00Z';
  return { status: '201 Created', location: `${type}/${randomUUID()}/_history/1`, etag: 'W/"1"', lastModified };
}

function parse(body) {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

function changed(change) {
  return {
    answer: (c) => {
      const [status, resource] = good(c);
      json(c, status, resource.entry ? { ...resource, entry: change(resource.entry, c) } : resource);
    },
  };
}

function changedLast(change) {
  return changed((entries) => [...entries.slice(0, -1), change(entries.at(-1))]);
}

// The same request to the server --to: { status, headers, body }. Its certificate is the tests' own.
function ask({ request, options, body }, asked = request.url) {
  const url = options.to + asked.slice(asked.indexOf('/fhir/R4') + '/fhir/R4'.length);
  const headers = { ...request.headers, host: new URL(url).host };
  return new Promise((resolve, reject) => {
    const sent = https.request(url, { method: request.method, headers, rejectUnauthorized: false }, (answer) => {
      const chunks = [];
      answer.on('data', (chunk) => chunks.push(chunk));
      answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(chunks) }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

function relay(c, { status, headers, body }) {
  const kept = ['content-type', 'location', 'content-location', 'etag'].filter((name) => headers[name]);
  send(c, status, body, Object.fromEntries(kept.map((name) => [name, headers[name]])));
}

// The write is done; only its answer is another.
async function passWrite(c, instead) {
  const answer = await ask(c);
  return c.request.method === 'GET' ? relay(c, answer) : instead();
}

// A server that rounds what it shows.
function altered(c, answer) {
  const text = answer.body.toString().replace(/("value":)(\d+)/g, (all, name, number) => name + (Number(number) + 1));
  return c.request.method === 'GET' ? { ...answer, body: Buffer.from(text) } : answer;
}

function absolute({ response }, c) {
  return { response: { ...response, location: `https://${c.request.headers.host}${c.path}/${response.location}` } };
}

function outcome(code) {
  const details = { text: 'ordered by the test' };
  return { resourceType: 'OperationOutcome', issue: [{ severity: 'error', code, details }] };
}

function json(c, status, body, headers = {}) {
  const text = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  send(c, status, text, { 'Content-Type': 'application/fhir+json; charset=utf-8', ...headers });
}

function send({ response }, status, text, headers = {}) {
  response.writeHead(status, { 'Content-Length': Buffer.byteLength(text), ...headers });
  response.end(text);
}

function half(text) {
  return text.slice(0, text.length / 2);
}

// Promises the whole body, sends half of it, and then does what `next` says.
function beginAnswer(c, next) {
  const text = JSON.stringify(good(c)[1]);
  c.response.writeHead(200, { 'Content-Type': 'application/fhir+json', 'Content-Length': Buffer.byteLength(text) });
  c.response.write(half(text), () => setTimeout(next, 50));
}

function cutOff(c) {
  beginAnswer(c, () => c.request.socket.destroy());
}

function* spaces(mebibytes) {
  const block = Buffer.alloc(MIB, ' ');
  for (let i = 0; i < mebibytes; i++) {
    yield block;
  }
}

// "Endless" ends after 16 GiB, so that a client without a cap fails its test instead of filling the machine's day.
async function endless({ response }) {
  response.writeHead(200, { 'Content-Type': 'application/fhir+json' });
  await pipeline(Readable.from(spaces(16 * 1024)), response).catch(() => undefined);
}

// 1 MiB on the wire, 1 GiB when unpacked, whether or not the client asked for compression.
async function gzipBomb({ response }) {
  response.writeHead(200, { 'Content-Type': 'application/fhir+json', 'Content-Encoding': 'gzip' });
  await pipeline(Readable.from(spaces(1024)), createGzip({ level: 9 }), response).catch(() => undefined);
}

// One byte a second: a client that measures only silence waits for ever.
function slow(c) {
  const text = JSON.stringify(good(c)[1]);
  c.response.writeHead(200, { 'Content-Type': 'application/fhir+json', 'Content-Length': Buffer.byteLength(text) });
  let sent = 0;
  const timer = setInterval(() => {
    c.response.write(text[sent++]);
    if (sent === text.length) {
      c.response.end();
    }
  }, 1000);
  c.response.on('close', () => clearInterval(timer));
}
