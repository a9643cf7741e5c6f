/*
 * fiber.h - private to relay: a function that may wait, on an event loop with one thread.
 *
 * Delivering a record is a dozen requests whose course depends on the answers. It is written once, as a
 * sentence, for the command line, where a request blocks. In the relay the same function runs on a stack of
 * its own (a fiber): where it has to wait it suspends, and whoever has what it waited for resumes it. One
 * thread; a fiber runs only between relay_fiber_resume and its next relay_fiber_suspend, so nothing needs a
 * lock. Stacks have a guard page below them and are used again.
 */
#ifndef KETLINK_RELAY_FIBER_H
#define KETLINK_RELAY_FIBER_H

#include "base/base.h"

enum { FIBER_STACK_BYTES = 512 << 10 };

struct relay_fiber_pool;
struct relay_fiber;
typedef void relay_fiber_body(struct relay_fiber *fiber, void *context);

/* Keeps the stacks of at most `idle` fibers that have ended. */
enum status relay_fiber_pool_new(size_t idle, struct relay_fiber_pool **out) MUST_USE;
/* All its fibers have ended. NULL is allowed. */
void relay_fiber_pool_free(struct relay_fiber_pool *pool);
/* Fibers that have begun and not ended. */
size_t relay_fiber_pool_busy(const struct relay_fiber_pool *pool);

/* Begins `body`, and returns when it suspends or ends. */
enum status relay_fiber_start(struct relay_fiber_pool *pool, relay_fiber_body *body, void *context) MUST_USE;
/* In a fiber: back to who resumed it. */
void relay_fiber_suspend(struct relay_fiber *fiber);
/* Outside of it: goes on where it suspended; returns when it suspends again or ends. */
void relay_fiber_resume(struct relay_fiber *fiber);

#endif
