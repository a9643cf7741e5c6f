// What an EHR insists on in a resource, as its documentation has it: one function a word, the text of the refusal or
// undefined. The words are those of mappings/destinations/README.md, but nothing here is shared with ketlink: this side is
// the EHR's.
const CATEGORIES = 'http://terminology.hl7.org/CodeSystem/observation-category';
const LOINC = 'http://loinc.org';
// Blood pressure panels and pulse oximetry: the only Observations with components that Oracle takes.
const WITH_COMPONENTS = ['85354-9', '55284-4', '59408-5', '2708-6'];
const DOCUMENTS = ['application/pdf', 'text/plain', 'text/rtf', 'application/rtf', 'text/html', 'text/xml', 'application/xml', 'application/xhtml+xml'];
const WITH_TIME = /^\d{4}-\d\d-\d\dT/;

const codings = (concept) => concept?.coding ?? [];
const categories = (resource) =>
  (resource.category ?? []).flatMap(codings).filter((coding) => coding.system === CATEGORIES).map((coding) => coding.code);
const observation = (check) => (resource) => (resource.resourceType === 'Observation' ? check(resource) : undefined);
const document = (check) => (resource) => (resource.resourceType === 'DocumentReference' ? check(resource) : undefined);

export const REQUIRE = {
  'no-modifier-extension': (resource) => (hasMember(resource, 'modifierExtension') ? 'modifierExtension is not supported' : undefined),
  'one-category': observation((o) => (o.category?.length === 1 ? undefined : 'category: exactly one')),
  'vital-signs-or-laboratory': observation((o) =>
    categories(o).some((code) => code === 'vital-signs' || code === 'laboratory') ? undefined : 'category: vital-signs or laboratory'
  ),
  'vital-signs-only': observation((o) => (categories(o).includes('vital-signs') ? undefined : 'category: vital-signs')),
  'effective-date-time': observation((o) => (o.effectiveDateTime ? undefined : 'effective: a dateTime')),
  'effective-time': observation((o) => (WITH_TIME.test(o.effectiveDateTime ?? '') ? undefined : 'effectiveDateTime: a time')),
  'vital-signs-performer': observation((o) =>
    !categories(o).includes('vital-signs') || (o.performer ?? []).some(isPractitioner) ? undefined : 'performer: a Practitioner'
  ),
  'components-bp-spo2': observation((o) => (o.component && !mayHaveComponents(o) ? 'component: blood pressure and pulse oximetry only' : undefined)),
  'attachment-types': document((d) =>
    (d.content ?? []).every(({ attachment }) => DOCUMENTS.includes(String(attachment?.contentType).split(';')[0]) && (attachment.data || attachment.url))
      ? undefined
      : 'content.attachment: pdf, plain, rtf, html, xml or xhtml'
  ),
  'document-time': document((d) => (dates(d).every((date) => WITH_TIME.test(date)) ? undefined : 'dates need a time')),
};

function isPractitioner(reference) {
  return /(^|\/)Practitioner\//.test(reference.reference ?? '') || (reference.type === 'Practitioner' && Boolean(reference.identifier));
}

function mayHaveComponents(o) {
  return codings(o.code).some((coding) => coding.system === LOINC && WITH_COMPONENTS.includes(coding.code));
}

function dates(d) {
  return [d.date, d.context?.period?.start, d.context?.period?.end, ...(d.content ?? []).map((c) => c.attachment?.creation)].filter(Boolean);
}

export function hasMember(value, name) {
  if (value === null || typeof value !== 'object') {
    return false;
  }
  return Object.entries(value).some(([key, member]) => key === name || hasMember(member, name));
}
