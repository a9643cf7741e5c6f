// A token endpoint of its own origin, which also lies. Plain Node, no dependencies.
//
//   node server.mjs --cert FILE --key FILE --log FILE --token-file FILE --jwks FILE --client-id ID --mode-file FILE
//                   [--port 0] [--ready-file FILE] [--redirect-to URL]
//
// POST …/token answers as the word in the mode file says, read for each request (see MODES); `ok` checks the assertion and gives the
// token of the token file. Any other path answers 404. Each request is a line in the log, without what it held:
//
//   POST /fhir/R4/token mode=ok kid=… alg=ES384 authorization=no
import { appendFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { parseArgs } from 'node:util';
import { Assertions } from './assertion.mjs';

const names = ['cert', 'key', 'log', 'token-file', 'jwks', 'client-id', 'mode-file', 'port', 'ready-file', 'redirect-to'];
const { values: options } = parseArgs({ options: Object.fromEntries(names.map((name) => [name, { type: 'string' }])) });
const token = (members) => ({ access_token: 'forged', token_type: 'bearer', expires_in: 300, ...members });
const json = (body, status = 200) => ({ status, type: 'application/json', body: JSON.stringify(body) });

const MODES = {
  down: () => ({ status: 503, type: 'text/plain', body: 'out of service' }),
  html: () => ({ status: 200, type: 'text/html', body: '<html><body>Please log in</body></html>' }),
  empty: () => ({ status: 200, type: 'application/json', body: '' }),
  array: () => json([token({})]),
  twice: () => ({ status: 200, type: 'application/json', body: '{"access_token":"a","access_token":"b","token_type":"bearer"}' }),
  deep: () => ({ status: 200, type: 'application/json', body: '['.repeat(60000) }),
  large: () => json(token({ filler: 'x'.repeat(200000) })),
  zero: () => json(token({ expires_in: 0 })),
  negative: () => json(token({ expires_in: -300 })),
  string: () => json(token({ expires_in: '300' })),
  'no-number': () => ({ status: 200, type: 'application/json', body: '{"access_token":"a","token_type":"bearer","expires_in":NaN}' }),
  crlf: () => json(token({ access_token: 'abc\r\nX-Injected: yes' })),
  unprintable: () => json(token({ access_token: 'abc\u0000def' })),
  'no-token': () => json({ token_type: 'bearer' }),
  mac: () => json(token({ token_type: 'mac' })),
  redirect: () => ({ status: 307, type: 'text/plain', body: '', headers: { Location: options['redirect-to'] ?? '/elsewhere' } }),
  'no-client': () => json({ error: 'invalid_client', error_description: 'CANARY of the server' }, 400),
  'no-scope': () => json({ error: 'invalid_scope' }, 400),
  'other-error': () => json({ error: 'CANARY\u001b[31m' }, 400),
  forbidden: () => ({ status: 403, type: 'text/html', body: '<html>CANARY</html>' }),
  missing: () => ({ status: 404, type: 'text/plain', body: '' }),
  clock: () => ({ ...json(token({})), headers: { Date: new Date(Date.now() + 120000).toUTCString() } }),
  wrong: () => json(token({ access_token: 'not-the-token-that-is-wanted' })),
  huge: (form, type) => ok(form, type, 1e300),
  ok: (form, type) => ok(form, type, 300),
};

const assertions = new Assertions({
  jwks: options.jwks,
  clientId: options['client-id'],
  audience: () => `https://127.0.0.1:${server.address().port}/fhir/R4/token`,
});

function ok(form, type, life) {
  const found = assertions.check(form, type);
  if (found.error) return { ...json({ error: found.error }, 400), found };
  const members = { access_token: readFileSync(options['token-file'], 'utf8').trim(), expires_in: life };
  return { ...json(token(members)), found };
}

const server = https.createServer({ cert: readFileSync(options.cert), key: readFileSync(options.key) }, async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const mode = readFileSync(options['mode-file'], 'utf8').trim();
  const known = request.method === 'POST' && request.url === '/fhir/R4/token';
  const answer = known ? MODES[mode](Buffer.concat(chunks).toString(), request.headers['content-type']) : MODES.missing();
  const told = answer.found ? ` kid=${answer.found.kid} alg=${answer.found.alg} error=${answer.found.error} why=${answer.found.why}` : '';
  const authorization = request.headers.authorization ? 'yes' : 'no';
  appendFileSync(options.log, `${request.method} ${request.url} mode=${mode}${told} authorization=${authorization}\n`);
  response.writeHead(answer.status, { 'Content-Type': answer.type, ...answer.headers });
  response.end(answer.body);
});
server.listen(Number(options.port ?? 0), '127.0.0.1', () => {
  writeFileSync(options['ready-file'] + '.part', `${server.address().port}\n`);
  renameSync(options['ready-file'] + '.part', options['ready-file']);
});
setTimeout(() => process.exit(0), 600000); // no test leaves it running for ever
process.on('SIGTERM', () => process.exit(0));
