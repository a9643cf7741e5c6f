/*
 * test_memory.c - every allocation of the console, the store and base fails once, for each kind of request: the
 * answer is whole, says so, or the connection is closed; and the next request works.
 */
#include "talk.h"

#include <jansson.h>
#include <stdlib.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);

static unsigned long fail_at; /* the n-th from now on; 0: none */

static bool fails(void) {
  return fail_at && --fail_at == 0;
}

void *__wrap_malloc(size_t size) {
  return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
  return fails() ? NULL : __real_calloc(count, size);
}

static void *json_malloc(size_t size) {
  return malloc(size);
}

static const struct {
  const char *method, *target, *body;
} requests[] = {
    {"GET", "/queue?state=parked&limit=2", NULL},
    {"GET", "/queue/1?payload=true", NULL},
    {"GET", "/audit?format=fhir", NULL},
    {"GET", "/metrics", NULL},
    {"GET", "/nothing", NULL},
    {"POST", "/records", "{\"a\":1}"},
    {"POST", "/queue/1/retry", "{\"reason\":\"again\",\"actor\":\"anna\"}"},
    {"POST", "/queue/retry", "{\"where\":{\"state\":\"queued\"}}"},
};

/* The answer has the length that it announces. */
static void assert_whole(const struct talk *talk) {
  const char *length = strstr(talk->answer, "\r\nContent-Length: ");
  assert_non_null(length);
  assert_int_equal(strlen(talk_body(talk)), atoi(length + 18));
}

static bool try(struct talk *talk, size_t request, unsigned long n) {
  fail_at = n;
  int status = talk_ask(talk, requests[request].method, requests[request].target, requests[request].body);
  bool reached = fail_at == 0;
  fail_at = 0;
  outbox_abandon(talk->store->outbox);
  if (!reached) return false;
  if (status != 0) assert_whole(talk);
  if (status != 0 && status != 200 && status != 503 && status != 404 && status != 400)
    fail_msg("%s, allocation %lu: %d", requests[request].target, n, status);
  return true;
}

static void every_allocation_may_fail(void **state) {
  struct talk *talk = *state;
  unsigned long failures = 0;
  json_set_alloc_funcs(json_malloc, free);
  store_put(talk->store, "ehr", "a", "one");
  for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
    unsigned long n = 1;
    while (try(talk, i, n) && n < 500)
      n++;
    assert_true(n > 2 && n < 500);
    failures += n - 1;
    assert_int_equal(talk_ask(talk, "GET", "/healthz", NULL), 200);
  }
  print_message("%lu allocations failed\n", failures);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(every_allocation_may_fail, talk_setup, talk_teardown),
  };
  return cmocka_run_group_tests_name("console_memory", tests, NULL, NULL);
}
