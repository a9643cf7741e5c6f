// The rule file of one EHR, and whether it takes a request. No network here: `store` answers what the server behind holds
// (read(type, id) and search(type, query) give a list of resources). A refusal is { rule, status, code, text, detail }.
import { readFileSync } from 'node:fs';
import { REQUIRE } from './require.mjs';

// What "*" stands for in a CapabilityStatement: the types of the clinic's maps and those that the rule files name.
export const TYPES = ('AdverseEvent AllergyIntolerance Appointment BodyStructure CarePlan CareTeam Communication ConceptMap Condition Consent ' +
  'Coverage DiagnosticReport DocumentReference Encounter EpisodeOfCare Goal Location Medication MedicationAdministration MedicationRequest ' +
  'MedicationStatement Observation Organization Patient Practitioner PractitionerRole Procedure Provenance QuestionnaireResponse ' +
  'RelatedPerson ServiceRequest Task').split(' ');

const KEYS = {
  name: 'string', source: 'string', software: 'object', formats: 'object', open: 'boolean', system: 'object', interactions: 'object',
  conditional: 'object', updateCreate: 'boolean', search: 'object', entries: 'object', conditionalReferences: 'boolean',
  existingReferences: 'boolean', uniqueMatchKeys: 'boolean', statusStrings: 'string', mismatch: 'number', duplicates: 'object',
  require: 'object', discard: 'object', created: 'object', updated: 'object',
};
const REQUIRED = ['name', 'source', 'software', 'formats', 'system', 'interactions', 'conditional', 'updateCreate', 'search'];

export function readRules(path, changes = {}) {
  const rules = { ...JSON.parse(readFileSync(path, 'utf8')), ...changes };
  const faults = [
    ...Object.keys(rules).filter((key) => typeof rules[key] !== KEYS[key]).map((key) => `${key} is unknown or not a ${KEYS[key]}`),
    ...REQUIRED.filter((key) => !(key in rules)).map((key) => `${key} is missing`),
    ...(rules.require ?? []).filter((word) => !(word in REQUIRE) && word !== 'patient-on-server').map((word) => `unknown word ${word}`),
  ];
  if (faults.length) {
    throw new Error(`${path}: ${faults.join('; ')}`);
  }
  return rules;
}

// --- requests

// url is relative to the base: "", "Observation", "Patient/1", "Observation?identifier=a|b".
export function parseRequest(method, url, headers = {}, body = undefined) {
  const [path, search = ''] = url.replace(/^\//, '').split('?');
  const [type = '', id = '', more = ''] = path.split('/');
  const query = Object.fromEntries(new URLSearchParams(search));
  const request = { method, type, id, query, headers, body, entries: [], interaction: interactionOf(method, type, id, more, query) };
  if (request.interaction === 'bundle') {
    request.interaction = body?.type === 'batch' || body?.type === 'transaction' ? body.type : 'unknown';
    request.entries = (body?.entry ?? []).map(parseEntry);
  }
  return request;
}

function interactionOf(method, type, id, more, query) {
  if (method === 'GET' && type === 'metadata') return 'capabilities';
  if (type.startsWith('$') || id.startsWith('$') || more.startsWith('$')) return 'operation';
  if (method === 'POST') return type === '' ? 'bundle' : id === '' ? 'create' : id === '_search' ? 'search-type' : 'unknown';
  if (method === 'GET') return type === '' ? 'search-system' : id === '' ? 'search-type' : more === '_history' ? 'vread' : 'read';
  if (method === 'PUT') return id ? 'update' : Object.keys(query).length ? 'conditional-update' : 'unknown';
  return { DELETE: 'delete', PATCH: 'patch' }[method] ?? 'unknown';
}

function parseEntry(entry) {
  const { method = '', url = '', ifNoneExist, ifMatch } = entry.request ?? {};
  const headers = { 'if-none-exist': ifNoneExist, 'if-match': ifMatch };
  return { ...parseRequest(method, url, headers, entry.resource), fullUrl: entry.fullUrl };
}

// --- refusals

const refusal = (rule, status, code, text, detail) => ({ rule, status, code, text, detail });

// The first rule that a request breaks, or undefined.
export async function refuse(rules, request, store) {
  if (request.interaction === 'capabilities') return undefined;
  const known = { transaction: refuseBundle, batch: refuseBundle };
  return (known[request.interaction] ?? refuseOne)(rules, request, store);
}

async function refuseBundle(rules, request, store) {
  if (!rules.system.includes(request.interaction)) {
    return refusal('system', 405, 'not-supported', `${request.interaction} is not supported`);
  }
  const conditional = request.entries.some(isConditional);
  const limit = conditional ? rules.entries?.conditional ?? rules.entries?.all : rules.entries?.all;
  if (limit && request.entries.length > limit) {
    return refusal('entries', 400, 'too-costly', `${request.entries.length} entries, at most ${limit}`);
  }
  const twice = rules.uniqueMatchKeys && repeated(request.entries.filter(isConditional).map(matchKey));
  if (twice) return refusal('match-keys', 400, 'duplicate', 'two entries have one match key');
  return request.interaction === 'transaction' ? refuseTransaction(rules, request, store) : undefined;
}

async function refuseTransaction(rules, request, store) {
  for (const entry of request.entries) {
    const reason = await refuseOne(rules, entry, store);
    if (reason) return reason;
  }
  return rules.existingReferences === false ? refuseExisting(request, store) : undefined;
}

// An entry that matches what is there keeps its urn:uuid for those that refer to it: Blaze cannot follow it.
async function refuseExisting(request, store) {
  for (const entry of request.entries.filter((one) => one.headers['if-none-exist'])) {
    const referred = request.entries.some((other) => other !== entry && references(other.body).includes(entry.fullUrl));
    if (referred && (await store.search(entry.type, entry.headers['if-none-exist'])).length) {
      return refusal('existing-references', 409, 'processing', 'a reference to a resource that exists already is not resolved');
    }
  }
  return undefined;
}

async function refuseOne(rules, request, store) {
  return refuseKind(rules, request) ?? refuseSearch(rules, request) ?? refuseContent(rules, request) ?? (await refuseStored(rules, request, store));
}

const WRITES = ['create', 'update', 'conditional-update'];
const PLAIN = { vread: 'read', 'conditional-update': 'update' };

function refuseKind(rules, request) {
  const { interaction, type } = request;
  const types = rules.interactions[PLAIN[interaction] ?? interaction] ?? [];
  if (!types.includes(type) && !types.includes('*')) {
    return refusal('interaction', 405, 'not-supported', `${interaction} of ${type || 'the system'} is not supported`);
  }
  if (request.headers['if-none-exist'] && !rules.conditional.includes('create')) {
    return refusal('conditional-create', 400, 'not-supported', 'If-None-Exist is not supported');
  }
  if (interaction === 'conditional-update' && !rules.conditional.includes('update')) {
    return refusal('conditional-update', 400, 'not-supported', 'an update by a search is not supported');
  }
  return undefined;
}

function refuseSearch(rules, request) {
  if (!['search-type', 'conditional-update'].includes(request.interaction)) return undefined;
  const known = rules.search[request.type] ?? rules.search['*'] ?? [];
  const unknown = Object.keys(request.query).find((name) => !known.includes(name.split(':')[0]) && !/^_(count|summary|total|elements|format)$/.test(name));
  return unknown ? refusal('search', 400, 'not-supported', `${request.type} is not searched by ${unknown}`) : undefined;
}

function refuseContent(rules, request) {
  if (!WRITES.includes(request.interaction)) return undefined;
  if (request.body?.resourceType !== request.type) return refusal('body', 400, 'structure', 'the body is of another type');
  if (rules.conditionalReferences === false && references(request.body).some((text) => /^[A-Za-z]+\?/.test(text))) {
    return refusal('conditional-references', 400, 'not-supported', 'references by a search are not resolved');
  }
  for (const word of rules.require ?? []) {
    const text = REQUIRE[word]?.(request.body);
    if (text) return refusal(word, 422, 'business-rule', text);
  }
  return undefined;
}

async function refuseStored(rules, request, store) {
  if (!WRITES.includes(request.interaction)) return undefined;
  if (request.interaction === 'update' && !rules.updateCreate && !(await store.read(request.type, request.id))) {
    return refusal('update-create', 404, 'not-found', 'an update makes nothing new');
  }
  if (rules.require?.includes('patient-on-server') && !(await subjectIsThere(request.body, store))) {
    return refusal('patient-on-server', 422, 'business-rule', 'the subject is not a Patient of this server');
  }
  const double = request.interaction === 'create' && rules.duplicates;
  if (double && identityOf(request.body) && (await store.search(request.type, identityOf(request.body))).length) {
    return refusal('duplicate', double.status, 'duplicate', double.text, double.code);
  }
  return undefined;
}

async function subjectIsThere(resource, store) {
  const [, id] = /(?:^|\/)Patient\/([^/]+)$/.exec(resource.subject?.reference ?? '') ?? [];
  return Boolean(id && (await store.read('Patient', id)));
}

// By the last identifier (the record's own), else the last tag.
function identityOf(resource) {
  const identifiers = [resource.identifier ?? []].flat();
  const name = identifiers.length ? 'identifier' : '_tag';
  const last = (identifiers.length ? identifiers : resource.meta?.tag ?? []).at(-1);
  return last && `${name}=${encodeURIComponent(`${last.system}|${last.value ?? last.code}`)}`;
}

// --- small things

export function isConditional(entry) {
  return entry.interaction === 'conditional-update' || Boolean(entry.headers['if-none-exist']);
}

function matchKey(entry) {
  return `${entry.type}?${entry.headers['if-none-exist'] ?? new URLSearchParams(entry.query)}`;
}

function repeated(keys) {
  return new Set(keys).size < keys.length;
}

export function references(value) {
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([key, member]) => (key === 'reference' && typeof member === 'string' ? [member] : references(member)));
}

// An Observation near one of the same subject and code that came before: kept times by key, in `seen`.
export function isDiscarded(rules, request, seen) {
  if (!rules.discard || request.interaction !== 'create' || request.type !== 'Observation') return false;
  const { subject, code, effectiveDateTime } = request.body;
  const key = JSON.stringify([subject?.reference, code?.coding?.map((coding) => coding.code), code?.text]);
  const time = Date.parse(effectiveDateTime);
  const times = seen.get(key) ?? [];
  if (times.some((other) => Math.abs(other - time) < rules.discard.minutes * 60000)) return true;
  seen.set(key, [...times, time]);
  return false;
}

// --- the CapabilityStatement

const INTERACTIONS = ['create', 'update', 'read', 'search-type', 'delete'];

export function capabilities(rules, base) {
  const named = INTERACTIONS.flatMap((code) => rules.interactions[code] ?? []);
  const types = named.includes('*') ? TYPES : [...new Set(named)].sort();
  return {
    resourceType: 'CapabilityStatement',
    status: 'active',
    date: '2026-07-24',
    kind: 'instance',
    software: rules.software,
    implementation: { description: `stands for ${rules.name}`, url: base },
    fhirVersion: '4.0.1',
    format: rules.formats,
    rest: [{ mode: 'server', resource: types.map((type) => describe(rules, type)), interaction: rules.system.map((code) => ({ code })) }],
  };
}

function describe(rules, type) {
  const can = (code) => (rules.interactions[code] ?? []).some((name) => name === type || name === '*');
  return {
    type,
    interaction: INTERACTIONS.filter(can).map((code) => ({ code })),
    updateCreate: rules.updateCreate,
    conditionalCreate: rules.conditional.includes('create'),
    conditionalUpdate: rules.conditional.includes('update'),
    searchParam: (rules.search[type] ?? rules.search['*'] ?? []).map((name) => ({ name, type: 'token' })),
  };
}
