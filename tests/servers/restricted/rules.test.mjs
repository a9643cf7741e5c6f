// What each rule file takes and refuses, as data: a line is a request and the rule it breaks ("-": none). `node --test`.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import test from 'node:test';
import { capabilities, isDiscarded, parseRequest, readRules, refuse } from './rules.mjs';

const here = new URL('.', import.meta.url).pathname;
const files = readdirSync(here).filter((name) => name.endsWith('.json'));
const rulesOf = (name) => readRules(`${here}${name}.json`);

const category = (code) => [{ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/observation-category', code }] }];
const identifier = [{ system: 'urn:test', value: 'one' }];
const pulse = {
  resourceType: 'Observation',
  identifier,
  category: category('vital-signs'),
  code: { coding: [{ system: 'http://loinc.org', code: '8867-4' }] },
  subject: { reference: 'Patient/here' },
  performer: [{ reference: 'Practitioner/one' }],
  effectiveDateTime: '2026-03-11T10:00:00-05:00',
};
const note = {
  resourceType: 'DocumentReference',
  identifier: [{ system: 'urn:test', value: 'two' }],
  date: '2026-03-11T10:00:00-05:00',
  content: [{ attachment: { contentType: 'text/html; charset=utf-8', data: 'AA==' } }],
};
const code = { coding: [{ system: 'http://loinc.org', code: '85354-9' }] };
const part = (method, url, resource, more = {}) => ({ fullUrl: 'urn:uuid:' + url, resource, request: { method, url, ...more } });
const bundle = (type, ...entry) => ({ resourceType: 'Bundle', type, entry });
const patient = { resourceType: 'Patient', identifier };
const many = (count, one) => Array.from({ length: count }, (_, i) => one(i));

// The server behind: a Patient, and one Observation by its identifier.
const store = {
  read: async (type, id) => (`${type}/${id}` === 'Patient/here' ? patient : undefined),
  search: async (type, query) => (decodeURIComponent(query) === 'identifier=urn:test|there' ? [pulse] : []),
};
const there = [{ system: 'urn:test', value: 'there' }];

const CASES = [
  // rules, method, path, body, headers, rule
  ['epic', 'GET', 'metadata', undefined, {}, '-'],
  ['epic', 'POST', 'Observation', pulse, {}, '-'],
  ['epic', 'POST', 'Observation', { ...pulse, identifier: there }, {}, 'duplicate'],
  ['epic', 'POST', 'Encounter', { resourceType: 'Encounter' }, {}, 'interaction'],
  ['epic', 'POST', 'MedicationAdministration', { resourceType: 'MedicationAdministration' }, {}, 'interaction'],
  ['epic', 'PUT', 'Condition/1', { resourceType: 'Condition' }, {}, 'interaction'],
  ['epic', 'PUT', 'Observation/absent', pulse, {}, 'update-create'],
  ['epic', 'PUT', 'Observation?identifier=a|b', pulse, {}, 'conditional-update'],
  ['epic', 'POST', 'Observation', pulse, { 'if-none-exist': 'identifier=a|b' }, 'conditional-create'],
  ['epic', 'POST', '', bundle('transaction'), {}, 'system'],
  ['epic', 'POST', '', bundle('batch'), {}, 'system'],
  ['epic', 'GET', 'Encounter/1', undefined, {}, '-'],
  ['epic', 'DELETE', 'Observation/1', undefined, {}, 'interaction'],
  ['epic', 'GET', 'Observation?identifier=a|b&_count=2', undefined, {}, '-'],
  ['epic', 'GET', 'Observation?value-quantity=1', undefined, {}, 'search'],
  ['epic', 'POST', 'Observation', note, {}, 'body'],
  ['oracle', 'POST', 'Observation', pulse, {}, '-'],
  ['oracle', 'POST', 'Observation', { ...pulse, modifierExtension: [{ url: 'urn:x' }] }, {}, 'no-modifier-extension'],
  ['oracle', 'POST', 'Observation', { ...pulse, component: [{ modifierExtension: [] }] }, {}, 'no-modifier-extension'],
  ['oracle', 'POST', 'Observation', { ...pulse, category: [...category('vital-signs'), ...category('exam')] }, {}, 'one-category'],
  ['oracle', 'POST', 'Observation', { ...pulse, category: category('survey') }, {}, 'vital-signs-or-laboratory'],
  ['oracle', 'POST', 'Observation', { ...pulse, effectiveDateTime: undefined, effectivePeriod: {} }, {}, 'effective-date-time'],
  ['oracle', 'POST', 'Observation', { ...pulse, effectiveDateTime: '2026-03-11' }, {}, 'effective-time'],
  ['oracle', 'POST', 'Observation', { ...pulse, performer: [{ reference: 'Organization/1' }] }, {}, 'vital-signs-performer'],
  ['oracle', 'POST', 'Observation', { ...pulse, performer: undefined }, {}, 'vital-signs-performer'],
  ['oracle', 'POST', 'Observation', { ...pulse, category: category('laboratory'), performer: undefined }, {}, '-'],
  ['oracle', 'POST', 'Observation', { ...pulse, component: [{}] }, {}, 'components-bp-spo2'],
  ['oracle', 'POST', 'Observation', { ...pulse, code, component: [{}] }, {}, '-'],
  ['oracle', 'POST', 'DocumentReference', note, {}, '-'],
  ['oracle', 'POST', 'DocumentReference', { ...note, date: '2026-03-11' }, {}, 'document-time'],
  ['oracle', 'POST', 'DocumentReference', { ...note, content: [{ attachment: { contentType: 'image/png', data: 'AA==' } }] }, {}, 'attachment-types'],
  ['oracle', 'POST', 'MedicationAdministration', { resourceType: 'MedicationAdministration' }, {}, 'interaction'],
  ['oracle', 'PUT', 'Encounter/1', { resourceType: 'Encounter' }, {}, 'interaction'],
  ['oracle', 'POST', '', bundle('transaction'), {}, 'system'],
  ['oracle', 'POST', '', bundle('batch', part('POST', 'Encounter', { resourceType: 'Encounter' })), {}, '-'],
  ['us-core-write', 'POST', 'Observation', pulse, {}, '-'],
  ['us-core-write', 'POST', 'Observation', { ...pulse, subject: { reference: 'Patient/gone' } }, {}, 'patient-on-server'],
  ['us-core-write', 'POST', 'Observation', { ...pulse, category: category('survey') }, {}, 'vital-signs-only'],
  ['us-core-write', 'PUT', 'Observation/1', pulse, {}, 'interaction'],
  ['us-core-write', 'POST', 'Patient', patient, {}, 'interaction'],
  ['us-core-write', 'GET', 'Patient?identifier=a|b', undefined, {}, '-'],
  ['medplum', 'POST', '', bundle('transaction', ...many(8, (i) => part('PUT', `Patient?identifier=a|${i}`, patient))), {}, '-'],
  ['medplum', 'POST', '', bundle('transaction', ...many(9, (i) => part('PUT', `Patient?identifier=a|${i}`, patient))), {}, 'entries'],
  ['medplum', 'POST', '', bundle('batch', ...many(9, (i) => part('POST', 'Patient', patient, { ifNoneExist: `identifier=a|${i}` }))), {}, 'entries'],
  ['medplum', 'POST', '', bundle('transaction', ...many(50, (i) => part('PUT', `Patient/${i}`, patient))), {}, '-'],
  ['medplum', 'POST', '', bundle('transaction', ...many(51, (i) => part('PUT', `Patient/${i}`, patient))), {}, 'entries'],
  ['medplum', 'POST', '', bundle('transaction', ...many(2, () => part('PUT', 'Patient?identifier=a|1', patient))), {}, 'match-keys'],
  ['medplum', 'POST', 'Observation', { ...pulse, subject: { reference: 'Patient?identifier=a|b' } }, {}, 'conditional-references'],
  ['hapi', 'POST', '', bundle('transaction', ...many(2, () => part('PUT', 'Patient?identifier=a|1', patient))), {}, 'match-keys'],
  ['hapi', 'POST', '', bundle('transaction', ...many(99, (i) => part('PUT', `Patient?identifier=a|${i}`, patient))), {}, '-'],
  ['hapi', 'GET', 'AdverseEvent?identifier=a|b', undefined, {}, 'search'],
  ['hapi', 'POST', '$reindex', undefined, {}, 'interaction'],
  ['aidbox', 'POST', '', bundle('transaction', part('PUT', 'Patient?identifier=a|1', patient)), {}, '-'],
  ['blaze', 'POST', '', bundle('transaction', part('PUT', 'Patient?identifier=a|1', patient)), {}, 'conditional-update'],
  ['blaze', 'POST', '', bundle('transaction', part('POST', 'Patient', patient, { ifNoneExist: 'identifier=a|1' })), {}, '-'],
  [
    'blaze', 'POST', '',
    bundle(
      'transaction',
      part('POST', 'Patient', patient, { ifNoneExist: 'identifier=urn:test|there' }),
      part('POST', 'Observation', { ...pulse, subject: { reference: 'urn:uuid:Patient' } })
    ), {}, 'existing-references',
  ],
];

for (const [name, method, path, body, headers, rule] of CASES) {
  test(`${name}: ${method} ${path || body.type} -> ${rule}`, async () => {
    const reason = await refuse(rulesOf(name), parseRequest(method, path, headers, body), store);
    assert.equal(reason?.rule ?? '-', rule);
  });
}

test('Epic names a duplicate by its number', async () => {
  const request = parseRequest('POST', 'Observation', {}, { ...pulse, identifier: there });
  const { status, detail } = await refuse(rulesOf('epic'), request, store);
  assert.deepEqual([status, detail], [400, '59141']);
});

test('vital signs close in time are discarded, others and other codes are not', () => {
  const seen = new Map();
  const at = (time, more = {}) =>
    isDiscarded(rulesOf('us-core-write'), parseRequest('POST', 'Observation', {}, { ...pulse, effectiveDateTime: time, ...more }), seen);
  assert.equal(at('2026-03-11T10:00:00-05:00'), false);
  assert.equal(at('2026-03-11T10:04:59-05:00'), true);
  assert.equal(at('2026-03-11T10:05:00-05:00'), false);
  assert.equal(at('2026-03-11T15:00:00Z'), true);
  assert.equal(at('2026-03-11T10:00:00-05:00', { code }), false);
  assert.equal(isDiscarded(rulesOf('epic'), parseRequest('POST', 'Observation', {}, pulse), seen), false);
});

test('each rule file is read, says where it comes from, and gives a CapabilityStatement', () => {
  assert.equal(files.length, 7);
  for (const file of files) {
    const rules = readRules(here + file);
    const statement = capabilities(rules, 'https://ehr.example/fhir');
    assert.ok(rules.source.length > 20, file);
    assert.equal(statement.fhirVersion, '4.0.1');
    assert.ok(statement.rest[0].resource.some((one) => one.type === 'Observation'), file);
  }
});

test('a CapabilityStatement says what the rules say', () => {
  const types = capabilities(rulesOf('epic'), '').rest[0].resource;
  const encounter = types.find((one) => one.type === 'Encounter');
  assert.deepEqual(encounter.interaction.map((one) => one.code), ['read', 'search-type']);
  assert.equal(encounter.conditionalCreate, false);
  assert.deepEqual(capabilities(rulesOf('oracle'), '').rest[0].interaction, [{ code: 'batch' }]);
});

test('unknown keys and words are faults', () => {
  assert.throws(() => readRules(`${here}epic.json`, { intractions: {} }), /intractions is unknown/);
  assert.throws(() => readRules(`${here}epic.json`, { require: ['one-thing'] }), /unknown word one-thing/);
});
