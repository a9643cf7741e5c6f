/* test_trouble.c - whose fault a failure is: pure, by histories of attempts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include "relay/trouble.h"

static const struct relay_destination_config config = {.retry_seconds = 1, .retry_max_seconds = 900};

/* What may come of an attempt, by the letter of a history. */
static const struct {
  char letter;
  struct relay_verdict verdict;
} ends[] = {
    {'+', {.state = OUTBOX_DONE, .http_status = 200}},
    {'=', {.state = OUTBOX_DONE, .unasked = true}},
    {'p', {.state = OUTBOX_PARKED, .http_status = 422}},
    {'n', {.state = OUTBOX_PARKED, .unasked = true}},
    {'b', {.state = OUTBOX_QUEUED, .trouble = RELAY_BUSY}},
    {'3', {.state = OUTBOX_QUEUED, .trouble = RELAY_HELD, .http_status = 403, .own = true}},
    {'1', {.state = OUTBOX_QUEUED, .trouble = RELAY_HELD, .http_status = 401, .own = true}},
    {'u', {.state = OUTBOX_UNKNOWN, .trouble = RELAY_HELD, .http_status = 404, .own = true}},
    {'m', {.state = OUTBOX_QUEUED, .trouble = RELAY_HELD, .own = true}}, /* made for another protocol */
    {'t', {.state = OUTBOX_QUEUED, .trouble = RELAY_HELD}},              /* no trusted connection */
};

static struct relay_verdict end_of(char letter) {
  for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
    if (ends[i].letter == letter) return ends[i].verdict;
  fail_msg("no end %c", letter);
  return (struct relay_verdict){0};
}

static struct relay_verdict note(struct relay_health *health, int64_t record, char letter, int64_t at) {
  struct relay_ended ended = {.record = record, .retry_after_ms = -1, .random = UINT32_MAX, .now = 1000000 + at, .elapsed = at};
  struct relay_verdict verdict = end_of(letter);
  relay_health_note(health, &config, &ended, &verdict);
  return verdict;
}

/* Each two characters: the record, and what came of its attempt; and what follows from the whole. */
static const struct {
  const char *history;
  enum relay_trouble trouble;
  bool parked; /* the last record */
} histories[] = {
    /* passing faults, one after the other */
    {"1b 2b 3b 4b", RELAY_FINE, false},
    {"1b 2b 3b 4b 5b", RELAY_BUSY, false},
    {"1b 2b 3b 4b 9+ 5b", RELAY_FINE, false},
    {"1b 2b 3b 4b 5b 6+", RELAY_FINE, false},
    /* the credential, the certificate: at once */
    {"11", RELAY_HELD, false},
    {"1t", RELAY_HELD, false},
    /* what may be about one record: when the next fails too, also its own */
    {"13", RELAY_FINE, false},
    {"13 23", RELAY_HELD, false},
    {"13 13", RELAY_HELD, false},
    {"13 2+ 33", RELAY_FINE, false},
    {"13 23 3+", RELAY_FINE, false},
    /* a server that was not asked is not known to be well */
    {"13 23 4=", RELAY_HELD, false},
    {"13 23 4n", RELAY_HELD, true},
    {"13 23 4p", RELAY_FINE, true},
    {"13 2= 13", RELAY_HELD, false},
    /* one record is refused, others go between */
    {"13 2+ 13 2+ 13", RELAY_FINE, false},
    {"13 2+ 13 2+ 13 2+ 13", RELAY_FINE, true},
    {"1u 2+ 1u 2+ 1u 2+ 1u", RELAY_FINE, true},
    {"1m 2+ 1m 2+ 1m 2+ 1m", RELAY_FINE, true},
    {"11 2+ 11 2+ 11 2+ 11", RELAY_FINE, true},
    /* three such, interleaved */
    {"13 23 33 4+ 13 23 33 4+ 13 23 33 4+ 13 23 33", RELAY_FINE, true},
    /* of the connection: never the record's */
    {"1t 2+ 1t 2+ 1t 2+ 1t 2+ 1t", RELAY_HELD, false},
    /* refused for days, and nothing else goes: the destination's */
    {"13 13 13 13 13 13 13 13", RELAY_HELD, false},
    /* it went at last: what was before does not count */
    {"13 2+ 13 2+ 13 1+ 13 2+ 13", RELAY_FINE, false},
};

static void histories_are_judged(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof histories / sizeof histories[0]; i++) {
    static const struct relay_health none;
    struct relay_health health = none;
    struct relay_verdict verdict = {0};
    print_message("%s\n", histories[i].history);
    for (const char *at = histories[i].history; *at; at += at[2] ? 3 : 2)
      verdict = note(&health, at[0] - '0', at[1], 100 * (at - histories[i].history));
    assert_int_equal(health.trouble, histories[i].trouble);
    assert_int_equal(verdict.state == OUTBOX_PARKED, histories[i].parked);
  }
}

static void a_record_is_parked_by_its_status(void **state) {
  static const struct {
    char letter;
    const char *reason;
  } cases[] = {{'3', "http-403"}, {'u', "gave-up"}}; /* nobody knows what became of it: a retry looks first */
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct relay_health health = {0};
    struct relay_verdict verdict = {0};
    for (int cycle = 0; cycle <= RELAY_SUSPECT_CYCLES; cycle++) {
      assert_int_not_equal(verdict.state, OUTBOX_PARKED);
      verdict = note(&health, 1, cases[i].letter, cycle);
      (void)note(&health, 2, '+', cycle);
    }
    assert_int_equal(verdict.state, OUTBOX_PARKED);
    assert_true(str_is(verdict.reason, cases[i].reason));
    assert_int_equal(health.suspect_count, 0);
  }
}

/* At, and beyond the cap: all of them are parked in the end. */
static void suspects_are_capped(void **state) {
  (void)state;
  for (size_t count = RELAY_SUSPECTS_MAX - 1; count <= RELAY_SUSPECTS_MAX + 1; count++) {
    struct relay_health health = {0};
    bool parked[RELAY_SUSPECTS_MAX + 1] = {false};
    size_t left = count;
    for (int round = 0; left && round < 20; round++)
      for (size_t i = 0; i < count; i++) {
        (void)note(&health, 100000, '+', round);
        if (parked[i] || note(&health, (int64_t)i + 1, '3', round).state != OUTBOX_PARKED) continue;
        parked[i] = true;
        left--;
      }
    assert_int_equal(left, 0);
    assert_int_equal(health.suspect_count, 0);
  }
}

/* Those of which nothing was heard for longer than any waits make room. */
static void old_suspects_make_room(void **state) {
  enum { LONGEST_MS = 4 * 900 * 1000 };
  (void)state;
  for (int64_t late = 0; late <= 1; late++) {
    struct relay_health health = {0};
    for (int64_t record = 1; record <= RELAY_SUSPECTS_MAX; record++)
      (void)note(&health, record, '3', 0);
    (void)note(&health, 1000, '3', LONGEST_MS + late);
    assert_int_equal(health.suspect_count, late ? 1 : RELAY_SUSPECTS_MAX);
  }
}

/* Each probe that fails doubles the wait; one record that fails again and again does not. */
static void probes_are_put_off(void **state) {
  (void)state;
  struct relay_health health = {0};
  (void)note(&health, 1, '1', 0);
  assert_int_equal(health.probe_at, 1000);
  assert_int_equal(health.since, 1000000);
  (void)note(&health, 2, '1', 500); /* was under way */
  assert_int_equal(health.probe_at, 1000);
  int64_t wait = 1000;
  for (int64_t record = 3; record < 20; record++) {
    wait = wait * 2 > 900000 ? 900000 : wait * 2;
    int64_t at = health.probe_at;
    (void)note(&health, record, '1', at);
    assert_int_equal(health.probe_at, at + wait);
  }
  assert_int_equal(health.since, 1000000);
  (void)note(&health, 20, '+', health.probe_at);
  (void)note(&health, 21, '1', 10000000);
  for (int again = 0; again < 20; again++) {
    int64_t at = health.probe_at;
    (void)note(&health, 21, '1', at);
    assert_int_equal(health.probe_at, at + 1000);
  }
}

static void a_server_that_asks_for_time_gets_it(void **state) {
  (void)state;
  struct relay_health health = {0};
  struct relay_ended ended = {.record = 1, .retry_after_ms = 60000, .elapsed = 5};
  for (ended.record = 1; ended.record <= RELAY_TROUBLE_AFTER + 1; ended.record++) {
    struct relay_verdict verdict = end_of('b');
    ended.elapsed++;
    relay_health_note(&health, &config, &ended, &verdict);
  }
  assert_int_equal(health.probe_at, ended.elapsed + 60000); /* also of one that was under way */
}

/* Each two characters: the record, and what came of its attempt; and at which of them record 1 is parked, three being allowed; 0:
   at none. */
static const struct {
  const char *history;
  int parked_at;
} allowances[] = {
    {"1b 1b", 0},
    {"1b 1b 1b", 3},
    {"1b 2+ 1b 2+ 1b", 5},
    /* what the destination is at fault for costs no record an attempt, neither while it is held nor when that is over */
    {"13 13 13 13 13 13", 0},
    {"11 11 11 11 1b 1b", 0},
    {"11 11 11 11 1b 1b 1b", 7},
    {"1t 2+ 1t 2+ 1t 2+ 1t 1b 1b", 0},
    {"13 23 33 13 23 33 4+ 1b 4+ 1b", 0},
    /* others go through: it is the record's fault */
    {"13 2+ 13 2+ 13 2+ 13", 7},
    {"13 2+ 1b 2+ 13", 0},
    {"13 2+ 1b 2+ 13 2+ 1b", 7},
};

static void attempts_are_counted(void **state) {
  (void)state;
  struct relay_destination_config three = {.retry_seconds = 1, .retry_max_seconds = 1, .attempts = 3};
  for (size_t i = 0; i < sizeof allowances / sizeof allowances[0]; i++) {
    static const struct relay_health none;
    struct relay_health health = none;
    unsigned faults[10] = {0};
    int parked_at = 0, number = 0;
    print_message("%s\n", allowances[i].history);
    for (const char *at = allowances[i].history; *at && !parked_at; at += at[2] ? 3 : 2) {
      int record = at[0] - '0';
      struct relay_ended ended = {.record = record, .faults = faults[record], .retry_after_ms = -1, .elapsed = ++number};
      struct relay_verdict verdict = end_of(at[1]);
      relay_health_note(&health, &three, &ended, &verdict);
      faults[record] += verdict.fault;
      if (record == 1 && verdict.state == OUTBOX_PARKED) parked_at = number;
      if (parked_at && at[1] == 'b') assert_true(str_is(verdict.reason, "gave-up"));
    }
    assert_int_equal(parked_at, allowances[i].parked_at);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(histories_are_judged),
      cmocka_unit_test(a_record_is_parked_by_its_status),
      cmocka_unit_test(suspects_are_capped),
      cmocka_unit_test(old_suspects_make_room),
      cmocka_unit_test(probes_are_put_off),
      cmocka_unit_test(a_server_that_asks_for_time_gets_it),
      cmocka_unit_test(attempts_are_counted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
