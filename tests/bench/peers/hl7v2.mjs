// HL7 v2 in JavaScript, warm: Medplum's Hl7Message and node-hl7-client. One JSON object a line: engine, median (`microseconds`) and
// least time of parsing message.hl7 and reading all places of places.tsv, and the values, for the caller to compare.
//
//   node hl7v2.mjs FOLDER
import { Hl7Message } from '@medplum/core';
import { Message } from 'node-hl7-client';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { measure } from './measure.mjs';

const [folder] = process.argv.slice(2);
const text = readFileSync(join(folder, 'message.hl7'), 'utf8');
const places = readFileSync(join(folder, 'places.tsv'), 'utf8')
  .split('\n')
  .filter((line) => line && !line.startsWith('#'))
  .map((line) => {
    const [, segment, occurrence, field, component] = line.match(/^(\w+)(?:\[(\d+)\])?-(\d+)(?:\.(\d+))?\t/);
    return { segment, at: Number(occurrence ?? 1) - 1, field: Number(field), component: Number(component ?? 1), path: component ? `${field}.${component}` : field };
  });

// Each segment is looked for once, as a program would do it.
function medplum() {
  const message = Hl7Message.parse(text);
  const segments = {};
  return places.map(({ segment, at, field, component }) => {
    const all = (segments[segment] ??= message.getAllSegments(segment));
    return all[at].getComponent(field, component);
  });
}

function nodeHl7Client() {
  const message = new Message({ text });
  const segments = {};
  return places.map(({ segment, at, path }) => (segments[segment] ??= message.get(segment).toArray())[at].get(path).toString());
}

for (const [engine, work] of [['medplum', medplum], ['node-hl7-client', nodeHl7Client]]) {
  const { median, least } = measure(work, 100, 300);
  console.log(JSON.stringify({ engine, microseconds: median, least, result: work() }));
}
