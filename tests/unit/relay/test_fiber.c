/* test_fiber.c - functions that wait, in any order, deep in their calls; stacks that are used again are
 * clean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include "relay/fiber.h"

struct waiter {
  struct relay_fiber *fiber;
  int steps, stop_at;
  char trail[64];
};

static void note(struct waiter *waiter, int number) {
  size_t len = strlen(waiter->trail);
  snprintf(waiter->trail + len, sizeof waiter->trail - len, "%d", number);
}

static int wait_deep(struct waiter *waiter, int depth) {
  volatile char filler[512];
  filler[depth] = (char)depth;
  if (depth == 0) {
    relay_fiber_suspend(waiter->fiber);
    return 0;
  }
  return wait_deep(waiter, depth - 1) + filler[depth];
}

static void body(struct relay_fiber *fiber, void *context) {
  struct waiter *waiter = context;
  waiter->fiber = fiber;
  for (int i = 0; i < waiter->stop_at; i++) {
    note(waiter, i);
    assert_int_equal(wait_deep(waiter, 100), 5050);
    waiter->steps++;
  }
  waiter->fiber = NULL;
}

static void fibers_wait_in_any_order(void **state) {
  struct relay_fiber_pool *pool;
  struct waiter waiters[5] = {{.stop_at = 3}, {.stop_at = 0}, {.stop_at = 5}, {.stop_at = 1}, {.stop_at = 4}};
  (void)state;
  assert_int_equal(relay_fiber_pool_new(2, &pool), STATUS_OK);
  for (int i = 0; i < 5; i++)
    assert_int_equal(relay_fiber_start(pool, body, &waiters[i]), STATUS_OK);
  assert_int_equal(relay_fiber_pool_busy(pool), 4); /* one had nothing to wait for */
  for (int round = 0; relay_fiber_pool_busy(pool); round++)
    for (int i = 4; i >= 0; i--)
      if (waiters[i].fiber && (round + i) % 2) relay_fiber_resume(waiters[i].fiber);
  for (int i = 0; i < 5; i++)
    assert_int_equal(waiters[i].steps, waiters[i].stop_at);
  assert_string_equal(waiters[2].trail, "01234");
  relay_fiber_pool_free(pool);
}

enum { MANY_TRACES = 65536, FEW_TRACES = 1024 };

static void leave_many(struct relay_fiber *fiber, void *context) {
  volatile unsigned char room[MANY_TRACES];
  (void)fiber;
  for (size_t i = 0; i < sizeof room; i++)
    room[i] = 0xA5;
  *(uintptr_t *)context = (uintptr_t)room;
}

static void leave_few(struct relay_fiber *fiber, void *context) {
  volatile unsigned char room[FEW_TRACES];
  (void)fiber;
  for (size_t i = 0; i < sizeof room; i++)
    room[i] = 0xA5;
  *(uintptr_t *)context = (uintptr_t)room;
}

static void check_clean(struct relay_fiber_pool *pool, relay_fiber_body *leave, size_t count) {
  uintptr_t where = 0;
  size_t dirty = 0;
  assert_int_equal(relay_fiber_start(pool, leave, &where), STATUS_OK);
  const volatile unsigned char *left = (const volatile unsigned char *)where;
  for (size_t i = 0; i < count; i++)
    dirty += left[i] == 0xA5;
  assert_int_equal(dirty, 0);
}

/* The stack of an ended fiber is kept for the next: what lies there now is looked at from outside, whether it was used a little or
   deep down, in any order. */
static void a_stack_that_is_kept_is_clean(void **state) {
  struct relay_fiber_pool *pool;
  (void)state;
  assert_int_equal(relay_fiber_pool_new(1, &pool), STATUS_OK);
  for (int round = 0; round < 200; round++) {
    bool deep = round % 3 == 1 || round % 7 == 2;
    check_clean(pool, deep ? leave_many : leave_few, deep ? MANY_TRACES : FEW_TRACES);
  }
  relay_fiber_pool_free(pool);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(fibers_wait_in_any_order),
      cmocka_unit_test(a_stack_that_is_kept_is_clean),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
