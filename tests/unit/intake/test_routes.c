/* routes.json: what is accepted, and what each fault is called. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "../pack.h"
#include "intake/internal.h"

static const struct definitions *definitions;

#define MODEL "\"model\":\"http://ketlink.dev/fhir/StructureDefinition/session-record\""
#define REST MODEL ",\"map\":\"http://ketlink.dev/fhir/StructureMap/session\",\"clinicId\":\"clinic.id\"}"

static const struct {
  const char *text;
  enum status status;
  size_t count;
  const char *why;
} rows[] = {
    {"{\"routes\":[]}", STATUS_OK, 0, NULL},
    {"{\"routes\":[{\"format\":\"a/1\"," REST "]}", STATUS_OK, 1, NULL},
    {"{\"routes\":[{\"format\":\"a/1\"," REST ",{\"format\":\"a/2\"," REST "]}", STATUS_OK, 2, NULL},
    {"{\"routes\":[{\"format\":\"a/1\"," REST ",{\"format\":\"a/1\"," REST "]}", STATUS_CONFIG, 0,
     "two routes"},
    {"{\"clinics\":[],\"routes\":[]}", STATUS_OK, 0, NULL},
    {"{\"clinics\":{},\"routes\":[]}", STATUS_CONFIG, 0, "clinics"},
    {"{\"clinics\":[{\"id\":\"a\"}],\"routes\":[]}", STATUS_CONFIG, 0, "timeZone"},
    {"{}", STATUS_CONFIG, 0, "routes"},
    {"{\"routes\":{}}", STATUS_CONFIG, 0, "routes"},
    {"{\"routes\":[],\"more\":1}", STATUS_CONFIG, 0, "routes"},
    {"{\"routes\":[1]}", STATUS_CONFIG, 0, ""},
    {"{\"routes\":[{" REST "]}", STATUS_CONFIG, 0, "format"},
    {"{\"routes\":[{\"format\":\"a/1\",\"extra\":1," REST "]}", STATUS_CONFIG, 0, "extra"},
    {"{\"routes\":[{\"format\":\"a/1\",\"model\":\"urn:none\",\"map\":\"m\",\"clinicId\":\"c\"}]}",
     STATUS_CONFIG, 0, "urn:none"},
};

static enum status fake_read(void *context, const char *path, size_t max, struct arena *arena,
                             struct str *out) {
  (void)path, (void)max;
  *out = arena_str(arena, str_of(context));
  return STATUS_OK;
}

static void test_rows(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct arena *arena = arena_new(1 << 20);
    struct diag_list diags;
    struct intake_routes routes;
    struct host host = {.context = (void *)(uintptr_t)rows[i].text, .read_file = fake_read};
    diag_list_init(&diags, arena);
    enum status status = intake_routes_read("routes.json", &host, definitions, arena, &diags, &routes);
    if (status != rows[i].status) fail_msg("row %zu: %s", i, status_name(status));
    if (status == STATUS_OK) assert_int_equal(routes.count, rows[i].count);
    assert_int_equal(diags.count != 0, status != STATUS_OK);
    if (rows[i].why && str_find(diags.first->message, str_of(rows[i].why), 0) == SIZE_MAX)
      fail_msg("row %zu: %.*s", i, STR_ARG(diags.first->message));
    arena_free(arena);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};
  struct definitions *opened = pack_open();
  if (!opened) return PACK_SKIPPED;
  definitions = opened;
  int result = cmocka_run_group_tests(tests, NULL, NULL);
  definitions_close(opened);
  return result;
}
