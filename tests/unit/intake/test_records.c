/* Records one after the other: a bad one is reported with its place in the file and the next goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "../pack.h"
#include "intake/internal.h"

static const struct definitions *definitions;
static struct intake_route both[] = {{.format = {"session-record/1", 16}}, {.format = {"hl7v2/ADT_A01", 13}}};
static struct intake_routes routes = {both, 2};

/* Runs an input to its end; writes "ok" or the first finding of each record, with ";" between them. */
static void trace(struct intake_input *input, struct buf *out) {
  for (int guard = 0; guard < 100; guard++) {
    struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
    struct diag_list diags;
    struct intake_record record;
    diag_list_init(&diags, arena);
    enum status status = intake_next(input, definitions, &routes, arena, &diags, &record);
    if (status == STATUS_OK)
      buf_printf(out, "%s@%u;", record.route ? "record" : "resource", record.source.first_line);
    else if (status == STATUS_INVALID)
      buf_printf(out, "%s %u:%u;", diag_code_name(diags.first->code), diags.first->line, diags.first->col);
    assert_int_equal(status == STATUS_INVALID, diag_failed(&diags));
    arena_free(arena);
    if (status == STATUS_NOT_FOUND) break;
  }
  buf_add_char(out, 0);
}

static const struct {
  const char *name, *text, *want;
} rows[] = {
    {"a.json", "{\"format\":\"session-record/1\"}", "record@1;"},
    {"a.json", "{\"resourceType\":\"Patient\"}", "resource@1;"},
    {"a.json", "{\"resourceType\":\"Banana\"}", "unknown-resource 1:17;"},
    {"a.json", "", "json-syntax 1:1;"},
    {"a.ndjson", "", ""},
    {"a.ndjson", "\n  \n\n", ""},
    {"a.json", "[{\"format\":\"session-record/1\"}]", "input-format 1:1;"},
    {"a.json", "{\n  \"format\": \"session-recrd/1\"\n}", "input-format 2:13;"},
    {"a.json", "{\"format\": 1}", "input-format 1:12;"},
    {"a.json", "{\"form\": 1}", "input-format 1:1;"},
    {"a.ndjson",
     "{\"format\":\"session-record/1\"}\n\n{\"format\":\r\n "
     "{\"format\":\"other\"}\r\n{\"resourceType\":\"Patient\"}",
     "record@1;json-syntax 3:11;input-format 4:12;resource@5;"},
    {"-", "{\"format\":\"session-record/1\"}\n{\"a\":1,\"a\":2}\n{\"format\":\"session-record/1\"}\n",
     "record@1;json-duplicate-key 2:8;record@3;"},
    {"a.hl7", "MSH|^~\\&|||||||ADT^A08|1|P|2.5\rPID|1\r", "record@1;"},
    {"-", "\xEF\xBB\xBFMSH|^~\\&|||||||ADT^A01|1|P|2.5\r\nPID|1\r\n\r\nMSH|^~\\&|||||||ADT^A01|2|P|2.5\r\nPID|1\r\n", "record@1;record@4;"},
    {"a.hl7", "MSH|^~\\&|||||||ORU^R01|1|P|2.5\nPID|1\nMSH|^~\\&|||||||ADT^A04|2|P|2.5\nPID|1\n", "hl7v2-type 1:16;record@3;"},
    {"a.hl7", "FHS|^\nBHS|^\nMSH|^~\\&|||||||ADT^A01\npid|1\nBTS|1\nFTS|1\n", "hl7v2-syntax 4:1;"},
    {"a.hl7", "BHS|^\nMSH|^~\\&|||||||ADT^A01|1|P|2.5\nPID|1\nBTS|2\n", "record@2;hl7v2-envelope 4:1;"},
    {"a.hl7", "MSH|^~\\&|||||||ADT^A01|||||||||ASCII\nPID|1|\xFC\n", "hl7v2-charset 2:7;"},
    {"a.hl7", "MSH|^~\\&|||||||ADT^A12^ADT_A01|1|P|2.5\nPID|1\n", "hl7v2-event 1:16;"},
    {"a.hl7", "MSH|^~\\&|||||||ADT^A01^ORU_R01|1|P|2.5\nPID|1\n", "record@1;"},
    {"a.hl7", "MSH|^~\\&|||||||ADT^A01|1|P|2.5\nPV1|1\n", "hl7v2-required 1:1;"},
    {"a.hl7", "MSH|^~\\&|||||||ADT^A01||P|2.5\nPID|1\n", "hl7v2-required 1:24;"},
    {"a.hl7", "", "hl7v2-syntax 1:1;"},
    {"a.hl7", " \n", "hl7v2-syntax 1:1;"},
    {"a.hl7", "PID|1\r", "hl7v2-envelope 1:1;"},
};

static void test_rows(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct intake_input input = intake_open(str_of(rows[i].name), str_of(rows[i].text));
    struct buf got;
    buf_init(&got, 1 << 16);
    trace(&input, &got);
    assert_string_equal(got.ptr, rows[i].want);
    buf_release(&got);
  }
}

/* A record of exactly the cap is read, one byte more is refused. */
static void test_record_cap(void **state) {
  static const char head[] = "{\"format\":\"session-record/1\",\"x\":\"", tail[] = "\"}";
  (void)state;
  for (size_t extra = 0; extra <= 1; extra++) {
    size_t size = LIMIT_RECORD_BYTES + extra;
    char *text = test_malloc(size);
    struct buf got;
    memset(text, 'a', size);
    memcpy(text, head, sizeof head - 1);
    memcpy(text + size - (sizeof tail - 1), tail, sizeof tail - 1);
    struct intake_input input = intake_open(STR("a.json"), str_make(text, size));
    buf_init(&got, 1 << 16);
    trace(&input, &got);
    assert_string_equal(got.ptr, extra ? "input-too-large 1:1;" : "record@1;");
    buf_release(&got);
    test_free(text);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_record_cap)};
  struct definitions *opened = pack_open();
  if (!opened) return PACK_SKIPPED;
  definitions = opened;
  both[0].type = definitions_type(opened, STR("http://ketlink.dev/fhir/StructureDefinition/session-record"));
  int result = cmocka_run_group_tests(tests, NULL, NULL);
  definitions_close(opened);
  return result;
}
