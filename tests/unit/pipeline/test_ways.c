/*
 * test_ways.c - the maps say the same whichever way they are run: each fixture through each map that takes what it is, with all that is
 * prepared when a map is loaded, with none of it, and under a trace, which takes no short way. Bundles, findings and what is unread are
 * compared as texts, and so with reports that are longer than any fixture. On the way: no node says that it lacks a child that it has.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "passage.h"

enum way { USUAL, UNFUSED, TRACED, WAYS };

static const struct pipeline *pipeline;
static struct mapping_set *sets[WAYS];
static size_t runs;

/* --- what is the same each time --- */

static int64_t fixed_now(void *context) {
  (void)context;
  return INT64_C(1767268800000);
}

static enum status counting_random(void *context, void *bytes, size_t count) {
  unsigned char *out = bytes;
  (void)context;
  for (size_t i = 0; i < count; i++)
    out[i] = (unsigned char)i;
  return STATUS_OK;
}

static struct host the_host(void) {
  struct host host = *host_system();
  host.now_ms = fixed_now;
  host.random = counting_random;
  return host;
}

static void no_trace(void *context, const struct mapping_trace *trace) {
  (void)context, (void)trace;
}

/* --- one run --- */

static void check_lacks(const struct tree_node *root) {
  for (const struct tree_node *node = root; node; node = tree_following(root, node))
    for (const struct tree_node *child = node->child; child; child = child->next)
      if (child->symbol && tree_lacks(node, child->symbol)) fail_msg("%.*s is there and said to be lacking", STR_ARG(child->name));
}

static void add_finding(const struct diag *d, struct buf *out) {
  buf_printf(out, "%s %s %.*s:%u:%u [%.*s] (%.*s) %.*s\n", diag_severity_name(d->severity), diag_code_name(d->code), STR_ARG(d->file),
             d->line, d->col, STR_ARG(d->path), STR_ARG(d->expression), STR_ARG(d->message));
}

static bool read_record(const char *name, struct str text, struct arena *arena, struct diag_list *diags, struct intake_record *record) {
  struct intake_input input = intake_open(str_of(name), text);
  return intake_next(&input, pipeline_definitions(pipeline), pipeline_routes(pipeline), arena, diags, record) == STATUS_OK &&
         record->root;
}

/* All that comes of it, as one text. */
static struct str result_of(enum way way, size_t map, const char *name, struct str text, struct arena *arena) {
  struct diag_list diags;
  struct host host = the_host();
  struct intake_record record = {0};
  struct tree_node *target = NULL;
  struct tree_write pretty = {.pretty = true};
  struct buf out;
  diag_list_init(&diags, arena);
  buf_init(&out, LIMIT_TEXT_BYTES);
  assert_true(read_record(name, text, arena, &diags, &record));
  check_lacks(record.root);
  struct mapping_run run = {.host = &host, .arena = arena, .diags = &diags, .source = &record.source};
  if (way == TRACED) run.trace = no_trace;
  enum status status = mapping_run(sets[way], mapping_at(sets[way], map), &run, record.root, &target);
  mapping_report_unread(record.root, &run);
  buf_printf(&out, "%s\n", status_name(status));
  if (target) check_lacks(target);
  if (target) tree_write_json(target, &pretty, &out);
  for (const struct diag *d = diags.first; d; d = d->next)
    add_finding(d, &out);
  assert_int_equal(out.error, STATUS_OK);
  struct str copy = buf_take_str(&out, arena);
  buf_release(&out);
  return copy;
}

/* --- all of them --- */

static bool takes(const struct mapping_map *map, const struct tree_node *root) {
  const struct def_type *type = mapping_source_type(map), *target = mapping_target_type(map);
  return type && target && type == node_type(root);
}

static void try_fixture(const char *name, struct str text) {
  struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
  struct diag_list diags;
  struct intake_record record = {0};
  assert_non_null(arena);
  diag_list_init(&diags, arena);
  bool readable = read_record(name, text, arena, &diags, &record);
  for (size_t i = 0; readable && i < mapping_count(sets[USUAL]); i++) {
    if (!takes(mapping_at(sets[USUAL], i), record.root)) continue;
    struct str usual = result_of(USUAL, i, name, text, arena);
    for (enum way way = UNFUSED; way < WAYS; way++) {
      struct str other = result_of(way, i, name, text, arena);
      if (!str_eq(usual, other))
        fail_msg("%s by %.*s, way %d:\n%.*s\n%.*s", name, STR_ARG(mapping_name(mapping_at(sets[USUAL], i))), (int)way, STR_ARG(usual),
                 STR_ARG(other));
    }
    runs++;
  }
  arena_free(arena);
}

static void records_say_the_same(void **state) {
  (void)state;
  runs = 0;
  assert_true(passage_each(SOURCE_DIR "/fixtures/clinic", "record.json", try_fixture));
  assert_true(runs > 30); /* the map of records and those to messages */
}

static void messages_say_the_same(void **state) {
  (void)state;
  runs = 0;
  assert_true(passage_each(SOURCE_DIR "/fixtures/hl7v2", "message.hl7", try_fixture));
  assert_true(runs > 30);
}

/* One of them, the same in each run of the tests. */
static const char *one_of(const char *const *from, size_t count, uint32_t *seed) {
  *seed = *seed * 1664525u + 1013904223u;
  return from[(*seed >> 16) % count];
}
#define ONE_OF(list, seed) one_of(list, sizeof(list) / sizeof *(list), seed)

/* Results with codes, places, times, numbers and kinds alike and different, more than are gone through one by one. */
static struct str report_of(struct arena *arena, size_t count, uint32_t seed) {
  static const char *const codes[] = {"8867-4^Heart rate^LN", "8480-6^Systolic^LN", "8462-4^Diastolic^LN", "9279-1^Rate^LN", "K1^Local^L", "K1^Local^L^9279-1^^LN",
                                      "^Words alone", "", "85354-9^Panel^LN", "2708-6~8867-4", "K2^^^8480-6^^LN"},
                          *const places[] = {"", "", "1", "2", "1.2"}, *const times[] = {"", "20260115101500+0100", "20260115101500+0100", "20260115"},
                          *const kinds[] = {"NM|%s|%s|1", "NM|%s|%s|2~3", "ST|%s|%s|words", "|%s|%s|x", "SN|%s|%s|>^5", "CWE|%s|%s|a^b", "ED|%s|%s|^text^plain^A^x", "NM|%s|%s|"},
                          *const states[] = {"F", "F", "F", "C", "U", "X", "W"}, *const numbers[] = {"", "", "", "7^LAB", "8^LAB"};
  struct buf out;
  buf_init(&out, LIMIT_TEXT_BYTES);
  buf_add_text(&out, "MSH|^~\\&|MONITOR|CLINIC|EHR|HOSPITAL|20260115103000+0100||ORU^R01^ORU_R01|V2-1|P|2.5\rPID|1||900123^^^CLINIC^MR||Rivera^Alex\r"
                     "OBR|1|ORD-77^CLINIC|FIL-77^MONITOR|85353-1^Vital signs panel^LN|||20260115101500+0100||||||||||||||||||F\r");
  for (size_t i = 1; i <= count; i++) {
    const char *kind = ONE_OF(kinds, &seed), *code = ONE_OF(codes, &seed), *place = ONE_OF(places, &seed);
    size_t mark = (size_t)(strstr(kind, "%s|%s") - kind);
    buf_printf(&out, "OBX|%zu|%.*s%s|%s%s|mm[Hg]^^UCUM|||||%s", i, (int)mark, kind, code, place, kind + mark + strlen("%s|%s"), ONE_OF(states, &seed));
    buf_printf(&out, "|||%s|||||||%s\r", ONE_OF(times, &seed), ONE_OF(numbers, &seed));
    if (i % 9 == 0) buf_add_text(&out, "NTE|1||a note\r");
  }
  struct str text = buf_take_str(&out, arena);
  buf_release(&out);
  return text;
}

static void long_reports_say_the_same(void **state) {
  static const size_t counts[] = {5, 16, 17, 18, 30, 60, 120};
  enum { SEEDS = 4 };
  (void)state;
  runs = 0;
  for (size_t i = 0; i < SEEDS * sizeof counts / sizeof *counts; i++) {
    struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
    try_fixture("a long report", report_of(arena, counts[i / SEEDS], (uint32_t)i));
    arena_free(arena);
  }
  assert_int_equal(runs, SEEDS * sizeof counts / sizeof *counts);
}

static bool load(struct arena *arena) {
  static struct host host;
  host = the_host();
  for (enum way way = USUAL; way < WAYS; way++) {
    struct diag_list diags;
    diag_list_init(&diags, arena);
    struct mapping_load load = {.definitions = pipeline_definitions(pipeline), .host = &host, .folder = SOURCE_DIR "/mappings",
                                .unfused = way == UNFUSED};
    if (way == TRACED)
      sets[way] = sets[USUAL];
    else if (mapping_load(&load, &diags, &sets[way]) != STATUS_OK)
      return false;
  }
  return true;
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(records_say_the_same), cmocka_unit_test(messages_say_the_same),
                                     cmocka_unit_test(long_reports_say_the_same)};
  struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
  struct pipeline *opened = passage_open(arena);
  if (!opened) return 1;
  pipeline = opened;
  int failed = load(arena) ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
  mapping_free(sets[USUAL]);
  mapping_free(sets[UNFUSED]);
  pipeline_close(opened);
  arena_free(arena);
  return failed;
}
