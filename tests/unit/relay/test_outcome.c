/* test_outcome.c - what a conversation says about its record, and how long to wait: pure, by tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include "exchange/exchange.h"
#include "relay/internal.h"

static const struct delivery_answer none = {.phase = DELIVERY_CONNECT};
static const struct delivery_answer lost = {.phase = DELIVERY_SENDING};
static const struct delivery_answer longer = {.phase = DELIVERY_ANSWER, .status = 200, .too_large = true};
static const struct delivery_answer bad_tls = {.phase = DELIVERY_TLS};
static const struct delivery_answer busy = {.phase = DELIVERY_ANSWER, .status = 503};
static const struct delivery_answer denied = {.phase = DELIVERY_ANSWER, .status = 401};
static const struct delivery_answer fine = {.phase = DELIVERY_ANSWER, .status = 200};

/* Two entries in these states; `look`: bytes of the second may have arrived. */
static const struct {
  enum exchange_state first, second;
  bool look, unknown_before;
  enum status status;
  const struct delivery_answer *last;
  enum outbox_state state;
  enum relay_trouble trouble;
  const char *reason;
} cases[] = {
    {EXCHANGE_STORED, EXCHANGE_STORED, false, false, STATUS_OK, &fine, OUTBOX_DONE, RELAY_FINE, "delivered"},
    {EXCHANGE_SAME, EXCHANGE_REFERRED, false, false, STATUS_OK, &fine, OUTBOX_DONE, RELAY_FINE, "delivered"},
    {EXCHANGE_STORED, EXCHANGE_ABSENT, false, false, STATUS_OK, &fine, OUTBOX_DONE, RELAY_FINE, "delivered"},
    {EXCHANGE_UNTRIED, EXCHANGE_UNTRIED, false, false, STATUS_UNAVAILABLE, &none, OUTBOX_QUEUED, RELAY_BUSY,
     "unreachable"},
    {EXCHANGE_STORED, EXCHANGE_FAILED, false, false, STATUS_RETRY, &busy, OUTBOX_QUEUED, RELAY_BUSY,
     "http-503"},
    {EXCHANGE_STORED, EXCHANGE_FAILED, true, false, STATUS_RETRY, &lost, OUTBOX_UNKNOWN, RELAY_BUSY,
     "no-answer"},
    {EXCHANGE_STORED, EXCHANGE_FAILED, true, false, STATUS_RETRY, &longer, OUTBOX_UNKNOWN, RELAY_BUSY,
     "answer-too-large"},
    /* what was unknown and could not be looked for is unknown still */
    {EXCHANGE_UNTRIED, EXCHANGE_UNTRIED, false, true, STATUS_UNAVAILABLE, &none, OUTBOX_UNKNOWN, RELAY_BUSY,
     "unreachable"},
    {EXCHANGE_UNTRIED, EXCHANGE_UNTRIED, false, false, STATUS_CONFIG, &bad_tls, OUTBOX_QUEUED, RELAY_HELD,
     "tls"},
    {EXCHANGE_UNTRIED, EXCHANGE_UNTRIED, false, false, STATUS_DENIED, &denied, OUTBOX_QUEUED, RELAY_HELD,
     "credential-refused"},
    {EXCHANGE_STORED, EXCHANGE_REFUSED, false, false, STATUS_INVALID, &fine, OUTBOX_PARKED, RELAY_FINE,
     "http-422"},
    {EXCHANGE_STORED, EXCHANGE_FIXED, false, false, STATUS_CONFLICT, &fine, OUTBOX_PARKED, RELAY_FINE,
     "conflict"},
    /* one refused, one not yet there: it goes on until nothing can change any more */
    {EXCHANGE_REFUSED, EXCHANGE_FAILED, false, false, STATUS_INVALID, &busy, OUTBOX_QUEUED, RELAY_BUSY,
     "http-503"},
};

static void conversations_are_judged(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct exchange_item items[2] = {{.state = cases[i].first},
                                     {.state = cases[i].second, .look = cases[i].look}};
    for (int at = 0; at < 2; at++)
      if (items[at].state == EXCHANGE_REFUSED) items[at].answer.status = 422;
    struct exchange_job job = {.items = items, .plan = {.entry_count = 2}};
    struct relay_verdict verdict = relay_judge(&job, cases[i].status, cases[i].last, cases[i].unknown_before);
    print_message("case %zu\n", i);
    assert_int_equal(verdict.state, cases[i].state);
    assert_int_equal(verdict.trouble, cases[i].trouble);
    assert_true(str_is(verdict.reason, cases[i].reason));
  }
}

static void a_conversation_that_never_began(void **state) {
  struct exchange_job job = {0};
  (void)state;
  assert_int_equal(relay_judge(&job, STATUS_NOMEM, &none, false).state, OUTBOX_QUEUED);
  assert_int_equal(relay_judge(&job, STATUS_INVALID, &none, false).state, OUTBOX_PARKED);
}

/* At, and beyond the cap: of the machine's memory it is not. */
static void what_needs_more_than_it_may_is_parked(void **state) {
  enum { CAP = 64 << 10 };
  (void)state;
  struct arena *arena = arena_new(CAP);
  struct exchange_item items[2] = {{.state = EXCHANGE_STORED}, {.state = EXCHANGE_UNTRIED}};
  struct exchange_job job = {.items = items, .plan = {.entry_count = 2}, .arena = arena};
  size_t most = CAP;
  while (!arena_zalloc(arena, most))
    most--;
  for (int over = -1; over <= 1; over++) {
    arena_free(arena);
    job.arena = arena = arena_new(CAP);
    assert_int_equal(arena_zalloc(arena, most + (size_t)over) != NULL, over <= 0);
    struct relay_verdict verdict = relay_judge_memory(arena, false);
    assert_int_equal(verdict.state, over > 0 ? OUTBOX_PARKED : OUTBOX_QUEUED);
    assert_true(str_is(verdict.reason, over > 0 ? "too-large" : "no-memory"));
    assert_int_equal(relay_judge_memory(arena, true).state, over > 0 ? OUTBOX_PARKED : OUTBOX_UNKNOWN);
    verdict = relay_judge(&job, STATUS_NOMEM, &none, false);
    assert_true(str_is(verdict.reason, over > 0 ? "too-large" : "no-memory"));
  }
  arena_free(arena);
}

static void back_off_doubles_under_its_ceiling(void **state) {
  static const struct {
    unsigned attempts;
    int64_t retry_after, most; /* with all of the jitter */
  } waits[] = {{0, -1, 5000},   {1, -1, 10000},     {3, -1, 40000},       {7, -1, 640000},
               {8, -1, 900000}, {1000, -1, 900000}, {0, 3600000, 3600000}};
  struct relay_destination_config config = {.retry_seconds = 5, .retry_max_seconds = 900};
  (void)state;
  for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
    assert_int_equal(relay_back_off(&config, waits[i].attempts, waits[i].retry_after, UINT32_MAX),
                     waits[i].most);
    int64_t least = relay_back_off(&config, waits[i].attempts, waits[i].retry_after, 0);
    assert_true(least >= 100 && least <= waits[i].most); /* full jitter, and never at once */
  }
}

static void payloads_keep_the_clinic_apart(void **state) {
  static const char *const bad[] = {"", "x", ":", "5:abc", "-1:x", "99999999999999999999:x", "1x:ab"};
  struct arena *arena = arena_new(1 << 20);
  struct str clinic, text;
  (void)state;
  struct str payload = relay_payload_write(STR("a:1\n"), STR("{}"), arena);
  assert_true(relay_payload_read(payload, &clinic, &text) && str_is(clinic, "a:1\n") && str_is(text, "{}"));
  payload = relay_payload_write(STR(""), STR(""), arena);
  assert_true(relay_payload_read(payload, &clinic, &text) && !clinic.len && !text.len);
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
    assert_false(relay_payload_read(str_of(bad[i]), &clinic, &text));
  arena_free(arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(conversations_are_judged),
      cmocka_unit_test(a_conversation_that_never_began),
      cmocka_unit_test(what_needs_more_than_it_may_is_parked),
      cmocka_unit_test(back_off_doubles_under_its_ceiling),
      cmocka_unit_test(payloads_keep_the_clinic_apart),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
