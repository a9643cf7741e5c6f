/* test_webhook.c - how long an alert is tried, how many may wait, and that each that is lost is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <event2/event.h>
#include <stdio.h>
#include <unistd.h>
#include "relay/internal.h"

static void tries_become_rarer_and_end(void **state) {
  int64_t sum = 0;
  (void)state;
  assert_int_equal(relay_webhook_wait(1), 1000);
  assert_int_equal(relay_webhook_wait(2), 2000);
  assert_int_equal(relay_webhook_wait(6), 32000);
  assert_int_equal(relay_webhook_wait(7), 60000);
  assert_int_equal(relay_webhook_wait(RELAY_WEBHOOK_TRIES - 1), 60000);
  assert_int_equal(relay_webhook_wait(RELAY_WEBHOOK_TRIES), -1);
  assert_int_equal(relay_webhook_wait(RELAY_WEBHOOK_TRIES + 1), -1);
  for (unsigned tries = 1; tries < RELAY_WEBHOOK_TRIES; tries++)
    sum += relay_webhook_wait(tries);
  assert_in_range(sum, 13 * 60000, 15 * 60000);
}

static size_t count_of(const char *text, const char *word) {
  size_t count = 0;
  while ((text = strstr(text, word)) != NULL)
    count++, text++;
  return count;
}

/* Nobody turns the event loop: the first stays under way. What is logged comes in `out`. */
static void tell_many(size_t count, char *out, size_t room) {
  struct relay_config config = {.webhook = STR("http://127.0.0.1:1/")};
  struct relay relay = {.host = host_system(), .config = &config, .log = {.host = host_system()}};
  struct diag_list diags;
  struct arena *arena = arena_new(1 << 20);
  FILE *file = tmpfile();
  int kept = dup(STDERR_FILENO);
  assert_true(file && dup2(fileno(file), STDERR_FILENO) >= 0);
  diag_list_init(&diags, arena);
  relay.base = event_base_new();
  assert_int_equal(delivery_loop_new(relay.base, 4, &relay.loop), STATUS_OK);
  assert_int_equal(relay_webhook_open(&relay, &diags, &relay.webhook), STATUS_OK);
  for (size_t i = 0; i < count; i++)
    relay_webhook_tell(relay.webhook, i ? "folder-back" : "folder-gone", STR("drop"), STR(""));
  delivery_loop_free(relay.loop);
  relay_webhook_close(relay.webhook);
  event_base_free(relay.base);
  arena_free(arena);
  assert_true(dup2(kept, STDERR_FILENO) >= 0);
  close(kept);
  rewind(file);
  out[fread(out, 1, room - 1, file)] = 0;
  fclose(file);
}

static void the_newest_are_kept_and_each_loss_is_told(void **state) {
  char text[16384];
  (void)state;
  for (size_t count = RELAY_WEBHOOK_WAITING - 1; count <= RELAY_WEBHOOK_WAITING + 1; count++) {
    bool over = count > RELAY_WEBHOOK_WAITING;
    tell_many(count, text, sizeof text);
    assert_int_equal(count_of(text, "too many wait"), over);
    assert_int_equal(count_of(text, "the relay stops"), over ? RELAY_WEBHOOK_WAITING : count);
    assert_int_equal(count_of(text, "state=folder-gone"), 1); /* under way: not the one that was given up first */
    assert_null(over ? strstr(strstr(text, "folder-gone"), "too many") : NULL);
  }
}

static void without_one_nothing_happens(void **state) {
  struct relay_config config = {0};
  struct relay relay = {.host = host_system(), .config = &config};
  (void)state;
  assert_int_equal(relay_webhook_open(&relay, NULL, &relay.webhook), STATUS_OK);
  assert_null(relay.webhook);
  relay_webhook_tell(relay.webhook, "folder-gone", STR("drop"), STR(""));
  relay_webhook_close(relay.webhook);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tries_become_rarer_and_end),
      cmocka_unit_test(the_newest_are_kept_and_each_loss_is_told),
      cmocka_unit_test(without_one_nothing_happens),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
