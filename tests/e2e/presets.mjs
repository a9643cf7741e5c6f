// What of an export has to be on a server that keeps to a rule file, and what is there: the server is asked, not ketlink.
//
//   node presets.mjs --rules tests/servers/restricted/epic.json --base URL --ca FILE --token-file FILE
//                   [--known Patient,Practitioner] EXPORT.ndjson…
//
// A line a resource, sorted: `must|may|never TYPE KEY COUNT VERSION`. never: a type that the rules let nobody create; may: it
// breaks what the EHR insists on as it stands in the export, and may have been put right or left out; must: all others. COUNT is
// how many resources the server has with the record's identifier of it, or its tag, and with any other identifier for the types that it
// knew before (--known); VERSION is of the one.
import { readFileSync } from 'node:fs';
import https from 'node:https';
import { parseArgs } from 'node:util';
import { REQUIRE } from '../servers/restricted/require.mjs';

const text = { type: 'string' };
const { values, positionals } = parseArgs({
  options: { rules: text, base: text, known: { ...text, default: '' }, ca: text, 'token-file': text },
  allowPositionals: true,
});
const rules = JSON.parse(readFileSync(values.rules, 'utf8'));
const agent = new https.Agent({ keepAlive: true, ca: readFileSync(values.ca) });
const headers = {
  authorization: 'Bearer ' + readFileSync(values['token-file'], 'utf8').trim(),
  accept: 'application/fhir+json',
  'cache-control': 'no-cache',
};

const resources = new Map();
for (const line of positionals.flatMap((file) => readFileSync(file, 'utf8').split('\n')).filter(Boolean)) {
  const resource = JSON.parse(line);
  resources.set(`${resource.resourceType} ${tokens(resource).at(-1)?.replaceAll(' ', '+')}`, resource);
}
const lines = [];
for (const [name, resource] of resources) {
  const found = await find(resource);
  const versions = [...found.values()].map((one) => one.meta?.versionId).join(',');
  lines.push(`${expectation(resource)} ${name} ${found.size} ${versions}`.trimEnd());
}
console.log(lines.sort().join('\n'));
process.exit(0);

function expectation(resource) {
  const types = rules.interactions.create;
  if (resource.meta?.security?.some((label) => label.code === 'PSYTHPN')) return 'never'; // stays at the clinic
  if (!types.includes('*') && !types.includes(resource.resourceType)) return 'never';
  return (rules.require ?? []).some((word) => REQUIRE[word]?.(resource)) ? 'may' : 'must';
}

// By which a server may know it: name=system|value, the record's own last.
function tokens(resource) {
  const identifiers = [resource.identifier ?? []].flat().filter((one) => one.system && one.value);
  if (resource.resourceType !== 'AdverseEvent' && identifiers.length) {
    const asked = values.known.split(',').includes(resource.resourceType) ? identifiers : identifiers.slice(-1);
    return asked.map((one) => `identifier=${one.system}|${one.value}`);
  }
  return (resource.meta?.tag ?? []).slice(-1).map((tag) => `_tag=${tag.system}|${tag.code}`);
}

async function find(resource) {
  const found = new Map();
  for (const token of tokens(resource)) {
    const [name, value] = [token.slice(0, token.indexOf('=')), token.slice(token.indexOf('=') + 1)];
    const bundle = await get(`${resource.resourceType}?${name}=${encodeURIComponent(value)}`);
    for (const entry of bundle.entry ?? []) {
      if (entry.resource.resourceType === resource.resourceType) found.set(entry.resource.id, entry.resource);
    }
  }
  return found;
}

function get(path) {
  return new Promise((resolve, reject) => {
    https.get(`${values.base}/${path}`, { agent, headers }, async (answer) => {
      let body = '';
      for await (const chunk of answer) body += chunk;
      answer.statusCode === 200 ? resolve(JSON.parse(body)) : reject(new Error(`${answer.statusCode} to ${path}`));
    }).on('error', reject);
  });
}
