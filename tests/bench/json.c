/*
 * json.c - reading and writing FHIR JSON of about 3 kB, beside jansson in the same run.
 *
 *   bench_json [FILE…]
 *
 * The documents: those files; without, a set of made-up R4 resources (patients with a narrative, panels of
 * vital signs, administrations, encounters), half of them compact and half indented. Each round takes every
 * document with each program in turn, once to warm the caches and then four times; the figures are medians of
 * the rounds, per document, on one pinned core (`least` are the best rounds). The ratio is that of the medians
 * or of the best rounds, whichever flatters us less. Reading includes giving the memory back. Both write into
 * memory that is kept.
 */
#include <jansson.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include "tree/tree.h"

enum { ROUNDS = 301, PASSES = 4, MADE_UP = 48, DOCUMENTS_MAX = 4096, OUT_BYTES = 8 << 20 };

struct document {
  struct str text;
  struct tree_node *tree;
  json_t *object;
};

struct bench {
  struct arena *kept, *scratch;
  struct document *documents;
  size_t count, bytes;
  struct buf out;
};

static int64_t now(void) {
  return host_system()->monotonic_ns(NULL);
}

static void die(const char *what) {
  fprintf(stderr, "bench_json: %s\n", what);
  exit(1);
}

/* --- the documents --- */

static void patient(struct buf *out, unsigned n) {
  buf_printf(out,
             "{\"resourceType\":\"Patient\",\"id\":\"p%u\",\"meta\":{\"versionId\":\"1\",\"lastUpdated\":"
             "\"2026-03-0%uT10:11:12.%03u-06:00\",\"profile\":[\"http://hl7.org/fhir/us/core/"
             "StructureDefinition/us-core-patient\"]},",
             n, n % 9 + 1, n);
  buf_printf(out, "\"text\":{\"status\":\"generated\",\"div\":\"<div "
                  "xmlns=\\\"http://www.w3.org/1999/xhtml\\\">\\n\\t<table>\\n");
  for (unsigned i = 0; i < 8; i++)
    buf_printf(out, "\\t\\t<tr><td>Field %u</td><td>Müller, made up, row %u of %u</td></tr>\\n", i, i * 7, n);
  buf_printf(out, "\\t</table></div>\"},\"extension\":[{\"url\":\"http://hl7.org/fhir/us/core/"
                  "StructureDefinition/us-core-race\","
                  "\"extension\":[{\"url\":\"ombCategory\",\"valueCoding\":{\"system\":\"urn:oid:2.16.840.1."
                  "113883.6.238\",\"code\":\"2106-3\",\"display\":\"White\"}},"
                  "{\"url\":\"text\",\"valueString\":\"White\"}]}],");
  buf_printf(
      out,
      "\"identifier\":[{\"use\":\"usual\",\"type\":{\"coding\":[{\"system\":\"http://terminology.hl7.org/"
      "CodeSystem/v2-0203\",\"code\":\"MR\"}]},"
      "\"system\":\"http://ketlink.dev/fhir/clinic/riverside/mrn\",\"value\":\"MRN-%06u\"}],\"active\":true,",
      n);
  buf_printf(out,
             "\"name\":[{\"use\":\"official\",\"family\":\"Tester%u\",\"given\":[\"Ada\",\"Marie\"]},{"
             "\"use\":\"usual\",\"given\":[\"A\"]}],"
             "\"telecom\":[{\"system\":\"phone\",\"value\":\"+1-555-555-%04u\",\"use\":\"home\"},{\"system\":"
             "\"email\",\"value\":\"t%u@example.org\"}],",
             n, n, n);
  buf_printf(out,
             "\"gender\":\"female\",\"birthDate\":\"19%02u-0%u-1%u\",\"_birthDate\":{\"extension\":[{\"url\":"
             "\"http://hl7.org/fhir/StructureDefinition/"
             "patient-birthTime\",\"valueDateTime\":\"1980-01-01T10:00:00Z\"}]},",
             n % 99, n % 9 + 1, n % 9);
  buf_add_text(out, "\"address\":[{\"use\":\"home\",\"line\":[\"1 Example Way\",\"Unit "
                    "7\"],\"city\":\"Springfield\",\"state\":\"IL\",\"postalCode\":\"62701\","
                    "\"country\":\"US\",\"period\":{\"start\":\"2020-01-01\"}}],\"communication\":[{"
                    "\"language\":{\"coding\":[{\"system\":\"urn:ietf:bcp:47\",\"code\":\"en-US\","
                    "\"display\":\"English\"}]},\"preferred\":true}],\"managingOrganization\":{\"reference\":"
                    "\"Organization/riverside\"}}");
}

static void coding(struct buf *out, const char *system, const char *code, const char *display) {
  buf_printf(out, "{\"coding\":[{\"system\":\"%s\",\"code\":\"%s\",\"display\":\"%s\"}],\"text\":\"%s\"}",
             system, code, display, display);
}

static void panel(struct buf *out, unsigned n) {
  buf_printf(out,
             "{\"resourceType\":\"Observation\",\"id\":\"o%u\",\"meta\":{\"profile\":[\"http://hl7.org/fhir/"
             "us/core/StructureDefinition/us-core-blood-pressure\"]},"
             "\"identifier\":[{\"system\":\"http://ketlink.dev/fhir/clinic/riverside/"
             "record\",\"value\":\"S-%06u/vitals/V1\"}],\"status\":\"final\",\"category\":[",
             n, n);
  coding(out, "http://terminology.hl7.org/CodeSystem/observation-category", "vital-signs", "Vital Signs");
  buf_add_text(out, "],\"code\":");
  coding(out, "http://loinc.org", "85354-9", "Blood pressure panel with all children optional");
  buf_printf(out,
             ",\"subject\":{\"reference\":\"Patient/p%u\"},\"encounter\":{\"reference\":\"Encounter/"
             "e%u\"},\"effectiveDateTime\":\"2026-03-07T10:%02u:00-06:00\","
             "\"performer\":[{\"reference\":\"Practitioner/n1\"}],\"component\":[",
             n, n, n % 60);
  for (unsigned i = 0; i < 6; i++) {
    buf_add_text(out, i ? ",{\"code\":" : "{\"code\":");
    coding(out, "http://loinc.org", i % 2 ? "8462-4" : "8480-6",
           i % 2 ? "Diastolic blood pressure" : "Systolic blood pressure");
    buf_printf(out,
               ",\"valueQuantity\":{\"value\":%u.%u0,\"unit\":\"mm[Hg]\",\"system\":\"http://"
               "unitsofmeasure.org\",\"code\":\"mm[Hg]\"}}",
               60 + (n + i * 13) % 120, i);
  }
  buf_add_text(out, "]}");
}

static void administration(struct buf *out, unsigned n) {
  buf_printf(out,
             "{\"resourceType\":\"MedicationAdministration\",\"id\":\"a%u\",\"contained\":[{\"resourceType\":"
             "\"Medication\",\"id\":\"m\",\"code\":",
             n);
  coding(out, "http://www.nlm.nih.gov/research/umls/rxnorm", "1790102",
         "ketamine hydrochloride 50 MG/ML Injectable Solution");
  buf_printf(out,
             ",\"batch\":{\"lotNumber\":\"LOT-%u\",\"expirationDate\":\"2027-01-31\"}}],\"identifier\":[{"
             "\"system\":\"http://ketlink.dev/fhir/clinic/riverside/record\","
             "\"value\":\"S-%06u/doses/A1\"}],\"status\":\"completed\",\"category\":",
             n, n);
  coding(out, "http://terminology.hl7.org/CodeSystem/medication-admin-category", "outpatient", "Outpatient");
  buf_printf(out,
             ",\"medicationReference\":{\"reference\":\"#m\"},\"subject\":{\"reference\":\"Patient/"
             "p%u\"},\"context\":{\"reference\":\"Encounter/e%u\"},"
             "\"effectivePeriod\":{\"start\":\"2026-03-07T10:00:00-06:00\",\"end\":\"2026-03-07T10:40:00-06:"
             "00\"},\"performer\":[{\"function\":",
             n, n);
  coding(out, "http://terminology.hl7.org/CodeSystem/med-admin-perform-function", "performer", "Performer");
  buf_add_text(
      out,
      ",\"actor\":{\"reference\":\"Practitioner/n1\",\"display\":\"Nurse, made up\"}}],\"reasonCode\":[");
  coding(out, "http://snomed.info/sct", "370143000", "Major depressive disorder");
  buf_add_text(out, "],\"request\":{\"reference\":\"MedicationRequest/"
                    "r1\"},\"note\":[{\"time\":\"2026-03-07T10:45:00-06:00\",\"text\":\"Tolerated; short "
                    "nausea at 20 minutes, "
                    "settled without medication. Dose after body weight, see "
                    "\\\"dosage\\\".\"}],\"dosage\":{\"text\":\"0.50 mg/kg over 40 min\",\"site\":");
  coding(out, "http://snomed.info/sct", "368208006", "Left upper arm structure");
  buf_add_text(out, ",\"route\":");
  coding(out, "http://snomed.info/sct", "47625008", "Intravenous route");
  buf_printf(
      out,
      ",\"dose\":{\"value\":%u.%02u,\"unit\":\"mg\",\"system\":\"http://"
      "unitsofmeasure.org\",\"code\":\"mg\"},\"rateQuantity\":{\"value\":0.0125,\"unit\":\"mg/kg/min\","
      "\"system\":\"http://unitsofmeasure.org\",\"code\":\"mg/kg/min\"}}}",
      30 + n % 40, n % 100);
}

/* A made-up resource; every other one indented by the writer under test, which the checks below do not trust.
 */
static struct str make_up(struct bench *bench, unsigned n) {
  static void (*const makers[])(struct buf *, unsigned) = {patient, panel, administration};
  struct buf out;
  buf_init(&out, 1 << 20);
  makers[n / 2 % 3](&out, n);
  if (n % 2) {
    json_t *object = json_loadb(out.ptr, out.len, 0, NULL);
    char *pretty = object ? json_dumps(object, JSON_INDENT(2)) : NULL;
    if (!pretty) die("a made-up resource is broken");
    buf_reset(&out);
    buf_add_text(&out, pretty);
    free(pretty);
    json_decref(object);
  }
  struct str text = buf_take_str(&out, bench->kept);
  buf_release(&out);
  return text;
}

static void add_document(struct bench *bench, struct str text) {
  struct document *document = &bench->documents[bench->count++];
  struct source source = source_make(STR("document"), text);
  struct diag_list diags;
  diag_list_init(&diags, bench->kept);
  document->text = text;
  document->object = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL);
  if (!document->object || tree_read_json(&source, NULL, bench->kept, &diags, &document->tree))
    die("a document cannot be read");
  bench->bytes += text.len;
}

static void load(struct bench *bench, int argc, char **argv) {
  bench->documents = ARENA_ARRAY(bench->kept, struct document, DOCUMENTS_MAX);
  if (!bench->documents) die("no memory");
  for (int i = 1; i < argc && i < DOCUMENTS_MAX; i++) {
    struct str text;
    if (host_system()->read_file(NULL, argv[i], 64 << 20, bench->kept, &text)) die("a file cannot be read");
    add_document(bench, text);
  }
  for (unsigned n = 0; argc < 2 && n < MADE_UP; n++)
    add_document(bench, make_up(bench, n));
}

/* --- the four tasks, all documents once --- */

static void read_ours(struct bench *bench) {
  for (size_t i = 0; i < bench->count; i++) {
    struct source source = source_make(STR("document"), bench->documents[i].text);
    struct diag_list diags;
    struct tree_node *root;
    diag_list_init(&diags, bench->scratch);
    if (tree_read_json(&source, NULL, bench->scratch, &diags, &root)) die("reading failed");
    arena_reset(bench->scratch);
  }
}

static void read_jansson(struct bench *bench) {
  for (size_t i = 0; i < bench->count; i++) {
    json_t *object =
        json_loadb(bench->documents[i].text.ptr, bench->documents[i].text.len, JSON_REJECT_DUPLICATES, NULL);
    if (!object) die("reading failed");
    json_decref(object);
  }
}

static void write_ours(struct bench *bench) {
  static const struct tree_write options = {.pretty = false};
  for (size_t i = 0; i < bench->count; i++) {
    buf_reset(&bench->out);
    tree_write_json(bench->documents[i].tree, &options, &bench->out);
  }
}

static void write_jansson(struct bench *bench) {
  for (size_t i = 0; i < bench->count; i++) {
    size_t len = json_dumpb(bench->documents[i].object, bench->out.ptr, bench->out.room, JSON_COMPACT);
    if (len == 0 || len > bench->out.room) die("writing failed");
  }
}

static int by_value(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

/* Sorts the rounds and gives one of them per document. */
static double sorted_us(int64_t *times, size_t which, size_t documents) {
  qsort(times, ROUNDS, sizeof *times, by_value);
  return (double)times[which] / 1e3 / (double)documents / PASSES;
}

/* One pass to warm the caches after the other program, then the passes that count. */
static int64_t timed(void (*task)(struct bench *), struct bench *bench) {
  task(bench);
  int64_t begin = now();
  for (int pass = 0; pass < PASSES; pass++)
    task(bench);
  return now() - begin;
}

static void compare(struct bench *bench, const char *name, void (*ours)(struct bench *),
                    void (*theirs)(struct bench *)) {
  static int64_t our_times[ROUNDS], their_times[ROUNDS];
  for (int round = 0; round < ROUNDS; round++) {
    our_times[round] = timed(ours, bench);
    their_times[round] = timed(theirs, bench);
  }
  double our_us = sorted_us(our_times, ROUNDS / 2, bench->count);
  double their_us = sorted_us(their_times, ROUNDS / 2, bench->count);
  double our_best = sorted_us(our_times, 0, bench->count), their_best = sorted_us(their_times, 0, bench->count);
  double of_medians = their_us / our_us, of_best = their_best / our_best;
  printf("bench %s ours=%.2fus jansson=%.1fus ratio=%.1f least=%.2f/%.1fus\n", name, our_us, their_us,
         of_medians < of_best ? of_medians : of_best, our_best, their_best);
}

/* How many compact texts come back byte for byte: what the speed must not be bought with. */
static void count_unchanged(struct bench *bench) {
  static const struct tree_write options = {.keep_empty = true};
  size_t compact = 0, ours = 0, theirs = 0;
  for (size_t i = 0; i < bench->count; i++) {
    struct str text = bench->documents[i].text;
    if (str_find_char(text, '\n', 0) != SIZE_MAX) continue;
    compact++;
    buf_reset(&bench->out);
    tree_write_json(bench->documents[i].tree, &options, &bench->out);
    if (str_eq(buf_str(&bench->out), text)) ours++;
    size_t len = json_dumpb(bench->documents[i].object, bench->out.ptr, bench->out.room, JSON_COMPACT);
    if (str_eq(str_make(bench->out.ptr, len), text)) theirs++;
  }
  printf("json: %zu documents of %zu bytes on average; of %zu compact ones unchanged after reading and "
         "writing: ours %zu, jansson %zu\n",
         bench->count, bench->bytes / bench->count, compact, ours, theirs);
}

static void pin(void) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET((size_t)sched_getcpu(), &set);
  (void)sched_setaffinity(0, sizeof set, &set);
}

int main(int argc, char **argv) {
  struct bench bench = {.kept = arena_new((size_t)1 << 30), .scratch = arena_new(64 << 20)};
  if (!bench.kept || !bench.scratch) die("no memory");
  pin();
  buf_init(&bench.out, OUT_BYTES);
  if (!buf_reserve(&bench.out, OUT_BYTES)) die("no memory");
  load(&bench, argc, argv);
  count_unchanged(&bench);
  compare(&bench, "json-read", read_ours, read_jansson);
  compare(&bench, "json-write", write_ours, write_jansson);
  for (size_t i = 0; i < bench.count; i++)
    json_decref(bench.documents[i].object);
  buf_release(&bench.out);
  arena_free(bench.scratch);
  arena_free(bench.kept);
  return 0;
}
