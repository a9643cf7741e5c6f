// An EHR's rules in front of a real FHIR server: what the rule file allows goes through, the rest is refused as that EHR
// would. Plain Node, no dependencies.
//
//   node server.mjs --rules epic --to https://127.0.0.1:PORT/fhir/R4 --ca FILE --cert FILE --key FILE
//                   --token-file FILE --log FILE [--set JSON] [--skew SECONDS] [--port 0] [--ready-file FILE] [--lifetime SECONDS]
//
// The token is asked of clients (unless the rules say "open") and given to the server behind. --set lays members over the
// rules: --set '{"discard":{"minutes":15,"status":202}}'. Each request is one line of the log, and each entry of a batch or
// transaction one more; never a body, an id or a query:
//
//   {"n":3,"interaction":"create","type":"Observation","status":201}
//   {"n":4,"interaction":"create","type":"Encounter","status":405,"refused":"interaction","text":"create of Encounter is …"}
//   {"n":5,"interaction":"create","type":"Observation","status":202,"discarded":true}
import { appendFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { timingSafeEqual } from 'node:crypto';
import { parseArgs } from 'node:util';
import { capabilities, isDiscarded, parseRequest, readRules, refuse } from './rules.mjs';

const BASE = '/fhir/R4';
const MAX_BODY = 16 * 1024 * 1024;
const FHIR = 'application/fhir+json; charset=utf-8';

const options = parseOptions();
const rules = readRules(new URL(`${options.rules}.json`, import.meta.url), JSON.parse(options.set));
const authorization = 'Bearer ' + readFileSync(options['token-file'], 'utf8').trim();
const agent = new https.Agent({ keepAlive: true, ca: readFileSync(options.ca) });
const seen = new Map(); // what `discard` has to remember
let requests = 0;

const server = https.createServer(
  { cert: readFileSync(options.cert), key: readFileSync(options.key), minVersion: 'TLSv1.2' },
  (request, response) => {
    handle(request, response).catch((error) => {
      console.error(error);
      send(response, 500, {}, outcome('exception', 'the restricted server failed'));
    });
  }
);
server.listen(Number(options.port), '127.0.0.1', announce);
setTimeout(() => process.exit(0), Number(options.lifetime) * 1000).unref();
process.on('SIGTERM', () => process.exit(0));

function parseOptions() {
  const text = { type: 'string' };
  const { values } = parseArgs({
    options: {
      rules: text, to: text, ca: text, cert: text, key: text, 'token-file': text, log: text, 'ready-file': text,
      set: { type: 'string', default: '{}' },
      skew: { type: 'string', default: '0' }, // of its clock, ahead of this machine's
      port: { type: 'string', default: '0' },
      lifetime: { type: 'string', default: '1200' },
    },
  });
  const missing = ['rules', 'to', 'ca', 'cert', 'key', 'token-file', 'log'].filter((name) => !values[name]);
  if (missing.length) {
    console.error(`server.mjs: missing ${missing.map((name) => `--${name}`).join(', ')}`);
    process.exit(2);
  }
  return values;
}

// The ready file appears whole or not at all.
function announce() {
  const { port } = server.address();
  writeFileSync(options.log, '');
  if (options['ready-file']) {
    writeFileSync(options['ready-file'] + '.part', `${port}\n`);
    renameSync(options['ready-file'] + '.part', options['ready-file']);
  }
  console.log(`https://127.0.0.1:${port}${BASE}`);
}

// --- one request

async function handle(request, response) {
  const context = { n: ++requests, request, response, base: `https://${request.headers.host}${BASE}` };
  const text = await readBody(request);
  const early = refuseTransport(request, text);
  if (early) return refuseWith(context, { interaction: 'unknown', type: '' }, early);
  const parsed = parseRequest(request.method, request.url.slice(BASE.length), request.headers, text ? JSON.parse(text) : undefined);
  if (parsed.interaction === 'capabilities') {
    note(context, parsed, 200);
    return send(response, 200, {}, capabilities(rules, context.base));
  }
  if (!authorized(request)) {
    response.setHeader('WWW-Authenticate', 'Bearer realm="fhir"');
    return refuseWith(context, parsed, { rule: 'token', status: 401, code: 'login', text: 'token missing or wrong' });
  }
  const reason = await refuse(rules, parsed, store);
  if (reason) return refuseWith(context, parsed, reason);
  if (parsed.interaction === 'batch') return passBatch(context, parsed);
  return parsed.interaction === 'transaction' ? passTransaction(context, parsed) : passOne(context, parsed, text);
}

async function readBody(request) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size <= MAX_BODY) chunks.push(chunk);
  }
  return size > MAX_BODY ? undefined : Buffer.concat(chunks).toString('utf8');
}

// Address, media types and size, before anything is read.
function refuseTransport(request, text) {
  const refusal = (rule, status, code, words) => ({ rule, status, code, text: words });
  const takes = (type) => [...rules.formats, 'application/json', '*/*'].includes(String(type).split(';')[0].trim());
  if (!request.url.startsWith(BASE)) return refusal('base', 404, 'not-found', `the FHIR base is ${BASE}`);
  if (text === undefined) return refusal('size', 413, 'too-long', 'too large');
  if (text && !takes(request.headers['content-type'])) return refusal('media-type', 415, 'not-supported', 'Content-Type');
  if (!takes(request.headers.accept ?? '*/*')) return refusal('media-type', 406, 'not-supported', 'Accept');
  try {
    if (text) JSON.parse(text);
  } catch {
    return refusal('body', 400, 'structure', 'the body is not JSON');
  }
  return undefined;
}

function authorized(request) {
  const given = Buffer.from(request.headers.authorization ?? '');
  const wanted = Buffer.from(authorization);
  return rules.open === true || (given.length === wanted.length && timingSafeEqual(given, wanted));
}

function refuseWith(context, parsed, reason) {
  note(context, parsed, reason.status, { refused: reason.rule, text: reason.text });
  send(context.response, reason.status, {}, outcome(reason.code, reason.text, reason.detail));
}

// --- passing on

async function passOne(context, parsed, text) {
  if (isDiscarded(rules, parsed, seen)) {
    note(context, parsed, rules.discard.status, { discarded: true });
    return send(context.response, rules.discard.status, {});
  }
  const answer = await forward(context.request.method, context.request.url.slice(BASE.length), context.request.headers, text);
  const status = statusOf(parsed, answer);
  note(context, parsed, status);
  const headers = headersOf(parsed, answer);
  const plain = shapeOf(parsed, answer)?.contentType;
  send(context.response, status, plain ? { ...headers, 'content-type': plain } : headers, plain ? undefined : answer.body);
}

// How this EHR answers what went well: { status, header, contentType }.
function shapeOf(parsed, answer) {
  if (answer.status >= 300) return undefined;
  return { create: rules.created, update: rules.updated }[parsed.interaction];
}

function statusOf(parsed, answer) {
  const stale = answer.status === 412 || answer.status === 409;
  if (stale && rules.mismatch && parsed.headers['if-match']) return rules.mismatch;
  return shapeOf(parsed, answer)?.status ?? answer.status;
}

function headersOf(parsed, answer) {
  const { location, 'content-location': content, etag, 'content-type': type } = answer.headers;
  const place = location ?? content;
  const name = shapeOf(parsed, answer)?.header ?? (location ? 'Location' : 'Content-Location');
  return { ...(place && name && { [name]: place }), ...(etag && { etag }), ...(type && answer.body && { 'content-type': type }) };
}

async function passTransaction(context, parsed) {
  const answer = await forward('POST', '', context.request.headers, JSON.stringify(parsed.body));
  note(context, parsed, answer.status);
  const bundle = asJson(answer.body);
  parsed.entries.forEach((entry, i) => note(context, entry, bundle?.entry?.[i]?.response?.status ?? answer.status));
  send(context.response, answer.status, { 'content-type': FHIR }, withStatusStrings(bundle) ?? answer.body);
}

// Each entry is judged by itself; those that pass go on together.
async function passBatch(context, parsed) {
  const reasons = await Promise.all(parsed.entries.map((entry) => refuse(rules, entry, store)));
  const passing = parsed.body.entry?.filter((_, i) => !reasons[i]) ?? [];
  const answer = await forward('POST', '', context.request.headers, JSON.stringify({ ...parsed.body, entry: passing }));
  note(context, parsed, answer.status);
  if (answer.status >= 300) return send(context.response, answer.status, { 'content-type': FHIR }, answer.body);
  const answers = asJson(answer.body).entry ?? [];
  const entry = reasons.map((reason) => (reason ? { response: refusedEntry(reason) } : answers.shift()));
  parsed.entries.forEach((one, i) => note(context, one, entry[i].response.status, reasons[i] && { refused: reasons[i].rule, text: reasons[i].text }));
  send(context.response, 200, {}, withStatusStrings({ resourceType: 'Bundle', type: 'batch-response', entry }));
}

function refusedEntry(reason) {
  return { status: String(reason.status), outcome: outcome(reason.code, reason.text, reason.detail) };
}

const WORDS = { 200: 'OK', 201: 'Created', 400: 'Bad Request', 404: 'Not Found', 405: 'Method Not Allowed', 422: 'Unprocessable Entity' };

function withStatusStrings(bundle) {
  if (!bundle?.entry || !rules.statusStrings) return bundle;
  const words = (status) => {
    const code = String(status).slice(0, 3);
    return rules.statusStrings === 'bare' ? code : `${code} ${WORDS[code] ?? ''}`.trim();
  };
  const entry = bundle.entry.map((one) => ({ ...one, response: { ...one.response, status: words(one.response?.status) } }));
  return { ...bundle, entry };
}

// --- the server behind

const PASSED = ['content-type', 'accept', 'prefer', 'if-match', 'if-none-exist', 'host', 'cache-control'];

function forward(method, path, headers, body = undefined) {
  const passed = Object.fromEntries(PASSED.filter((name) => headers[name]).map((name) => [name, headers[name]]));
  return new Promise((resolve, reject) => {
    const request = https.request(options.to + path, { method, agent, headers: { ...passed, authorization } }, async (answer) => {
      const chunks = [];
      for await (const chunk of answer) chunks.push(chunk);
      resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(chunks).toString('utf8') });
    });
    request.on('error', reject);
    request.end(body || undefined);
  });
}

const store = {
  async read(type, id) {
    const { status, body } = await forward('GET', `/${type}/${id}`, { accept: 'application/fhir+json' });
    return status === 200 ? asJson(body) : undefined;
  },
  async search(type, query) {
    const { status, body } = await forward('GET', `/${type}?${query}`, { accept: 'application/fhir+json', 'cache-control': 'no-cache' });
    if (status !== 200) throw new Error(`the server behind answers ${status} to a search of ${type}`);
    return (asJson(body).entry ?? []).map((entry) => entry.resource);
  },
};

function asJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

// --- answers and log

function outcome(code, text, detail = undefined) {
  const details = { ...(detail && { coding: [{ code: detail }] }), text };
  return { resourceType: 'OperationOutcome', issue: [{ severity: 'error', code, details }] };
}

function send(response, status, headers, body = undefined) {
  response.statusCode = status;
  response.setHeader('Date', new Date(Date.now() + Number(options.skew) * 1000).toUTCString());
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  if (body !== undefined && body !== '' && !response.hasHeader('content-type')) response.setHeader('content-type', FHIR);
  response.end(body === undefined || typeof body === 'string' ? body : JSON.stringify(body));
}

function note(context, parsed, status, more = {}) {
  const line = { n: context.n, interaction: parsed.interaction, type: parsed.type || undefined, status: Number(String(status).slice(0, 3)), ...more };
  appendFileSync(options.log, JSON.stringify(line) + '\n');
}
