/*
 * fiber.c - fibers: ucontext leads to a new stack, from then on setjmp goes to and fro, which asks the system for nothing; swapcontext()
 * sets the mask of signals at each change, and that of all fibers is the same. The address sanitizer is told of every change of stack.
 */
#undef _FORTIFY_SOURCE /* its longjmp() takes another stack for a frame that is gone */
#include "relay/fiber.h"

#include <assert.h>
#include <setjmp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define FIBER_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIBER_SANITIZED 1
#endif
#endif
#ifdef FIBER_SANITIZED
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

/* Of a stack, from its top down: what most fibers use, at the end of it what tells whether more was used, and all below. */
enum { USED_BYTES = 12 << 10, MARK_BYTES = 4 << 10, BELOW_BYTES = FIBER_STACK_BYTES - USED_BYTES - MARK_BYTES };
static const char mark[16] = "nobody was here";

struct relay_fiber {
  struct relay_fiber_pool *pool;
  struct relay_fiber *next; /* idle ones */
  relay_fiber_body *body;
  void *context;
  void *mapping; /* guard page and stack */
  ucontext_t first; /* what makes it run; later it goes on at `inside` */
  jmp_buf inside, outside;
  const void *outside_stack; /* for the sanitizer */
  size_t outside_size;
  void *fake_stack;
  bool begun, running, ended;
  unsigned ends; /* that it has had */
};

struct relay_fiber_pool {
  struct relay_fiber *idle;
  size_t idle_count, idle_max, busy;
};

/* --- the sanitizer --- */

static void leave_outside(struct relay_fiber *fiber, char *stack) {
#ifdef FIBER_SANITIZED
  __sanitizer_start_switch_fiber(&fiber->fake_stack, stack, FIBER_STACK_BYTES);
#else
  (void)fiber, (void)stack;
#endif
}

static void enter_outside(struct relay_fiber *fiber) {
#ifdef FIBER_SANITIZED
  __sanitizer_finish_switch_fiber(fiber->fake_stack, NULL, NULL);
#else
  (void)fiber;
#endif
}

static void leave_inside(struct relay_fiber *fiber, void **fake_stack) {
#ifdef FIBER_SANITIZED
  __sanitizer_start_switch_fiber(fake_stack, fiber->outside_stack, fiber->outside_size);
#else
  (void)fiber, (void)fake_stack;
#endif
}

static void enter_inside(struct relay_fiber *fiber, void *fake_stack) {
#ifdef FIBER_SANITIZED
  __sanitizer_finish_switch_fiber(fake_stack, &fiber->outside_stack, &fiber->outside_size);
#else
  (void)fiber, (void)fake_stack;
#endif
}

/* --- stacks --- */

static size_t page_size(void) {
  return (size_t)sysconf(_SC_PAGESIZE);
}

static char *stack_of(const struct relay_fiber *fiber) {
  return (char *)fiber->mapping + page_size();
}

/* Variables are zeroed where they begin (-ftrivial-auto-var-init), so what goes deeper writes over it. */
static void put_mark(struct relay_fiber *fiber) {
  char *bytes = stack_of(fiber) + BELOW_BYTES;
  for (size_t i = 0; i < MARK_BYTES; i += sizeof mark)
    memcpy(bytes + i, mark, sizeof mark);
}

static bool has_mark(const struct relay_fiber *fiber) {
  const char *bytes = stack_of(fiber) + BELOW_BYTES;
  return memcmp(bytes, mark, sizeof mark) == 0 && memcmp(bytes, bytes + sizeof mark, MARK_BYTES - sizeof mark) == 0;
}

static struct relay_fiber *make_fiber(void) {
  struct relay_fiber *fiber = calloc(1, sizeof *fiber);
  if (!fiber) return NULL;
  fiber->mapping = mmap(NULL, page_size() + FIBER_STACK_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
  if (fiber->mapping != MAP_FAILED && mprotect(fiber->mapping, page_size(), PROT_NONE) == 0) {
    put_mark(fiber);
    return fiber;
  }
  if (fiber->mapping != MAP_FAILED) munmap(fiber->mapping, page_size() + FIBER_STACK_BYTES);
  free(fiber);
  return NULL;
}

static void drop_fiber(struct relay_fiber *fiber) {
  munmap(fiber->mapping, page_size() + FIBER_STACK_BYTES);
  free(fiber);
}

enum status relay_fiber_pool_new(size_t idle, struct relay_fiber_pool **out) {
  *out = calloc(1, sizeof **out);
  if (!*out) return STATUS_NOMEM;
  (*out)->idle_max = idle;
  return STATUS_OK;
}

void relay_fiber_pool_free(struct relay_fiber_pool *pool) {
  if (!pool) return;
  assert(pool->busy == 0);
  while (pool->idle) {
    struct relay_fiber *fiber = pool->idle;
    pool->idle = fiber->next;
    drop_fiber(fiber);
  }
  free(pool);
}

size_t relay_fiber_pool_busy(const struct relay_fiber_pool *pool) {
  return pool->busy;
}

static struct relay_fiber *take_fiber(struct relay_fiber_pool *pool) {
  struct relay_fiber *fiber = pool->idle;
  if (!fiber) return make_fiber();
  pool->idle = fiber->next;
  pool->idle_count--;
  return fiber;
}

/* What a fiber left on its stack may be of a patient. What most of them use is wiped and stays: a page that comes from the
   system anew costs more. The pages below go back, and come again as zeros, when the mark says that they were used; and now and then
   whatever it says. */
static bool wipe(struct relay_fiber *fiber) {
  enum { NOW_AND_THEN = 64 };
#ifdef FIBER_SANITIZED
  __asan_unpoison_memory_region(stack_of(fiber), FIBER_STACK_BYTES); /* frames that were never left */
#endif
  bool deep = !has_mark(fiber) || ++fiber->ends % NOW_AND_THEN == 0;
  explicit_bzero(stack_of(fiber) + BELOW_BYTES + MARK_BYTES, USED_BYTES);
  if (!deep) return true;
  put_mark(fiber);
  return madvise(stack_of(fiber), BELOW_BYTES, MADV_DONTNEED) == 0;
}

static void give_back(struct relay_fiber *fiber) {
  struct relay_fiber_pool *pool = fiber->pool;
  pool->busy--;
  if (pool->idle_count == pool->idle_max || !wipe(fiber)) {
    drop_fiber(fiber);
    return;
  }
  fiber->next = pool->idle;
  pool->idle = fiber;
  pool->idle_count++;
}

/* --- running --- */

/* makecontext passes ints only: a pointer goes in two halves. */
static void begin(unsigned high, unsigned low) {
  struct relay_fiber *fiber = (struct relay_fiber *)((uintptr_t)high << 32 | low);
  enter_inside(fiber, NULL);
  fiber->body(fiber, fiber->context);
  fiber->ended = true;
  leave_inside(fiber, NULL); /* its fake stack ends here; an ended fiber is never resumed */
  _longjmp(fiber->outside, 1);
}

/* Apart, as set_up: nothing of the caller's lives across what returns twice. */
static void __attribute__((noinline)) go_in(struct relay_fiber *fiber) {
  if (_setjmp(fiber->outside) != 0) return;
  if (fiber->begun) _longjmp(fiber->inside, 1);
  fiber->begun = true;
  setcontext(&fiber->first);
  abort();
}

static void __attribute__((noinline)) go_out(struct relay_fiber *fiber) {
  if (_setjmp(fiber->inside) == 0) _longjmp(fiber->outside, 1);
}

void relay_fiber_resume(struct relay_fiber *fiber) {
  assert(!fiber->running && !fiber->ended);
  fiber->running = true;
  leave_outside(fiber, stack_of(fiber));
  go_in(fiber);
  enter_outside(fiber);
  fiber->running = false;
  if (fiber->ended) give_back(fiber);
}

void relay_fiber_suspend(struct relay_fiber *fiber) {
  void *fake_stack = NULL;
  assert(fiber->running);
  leave_inside(fiber, &fake_stack);
  go_out(fiber);
  enter_inside(fiber, fake_stack);
}

/* Apart, since getcontext() returns as longjmp does: nothing may live across it but what it is given. */
static void __attribute__((noinline)) set_up(struct relay_fiber *fiber) {
  if (getcontext(&fiber->first) != 0) abort();
  fiber->first.uc_stack.ss_sp = stack_of(fiber);
  fiber->first.uc_stack.ss_size = FIBER_STACK_BYTES;
  fiber->first.uc_link = NULL;
  makecontext(&fiber->first, (void (*)(void))begin, 2, (unsigned)((uintptr_t)fiber >> 32),
              (unsigned)(uintptr_t)fiber);
}

enum status relay_fiber_start(struct relay_fiber_pool *pool, relay_fiber_body *body, void *context) {
  struct relay_fiber *fiber = take_fiber(pool);
  if (!fiber) return STATUS_NOMEM;
  fiber->pool = pool;
  fiber->body = body;
  fiber->context = context;
  fiber->begun = fiber->ended = false;
  pool->busy++;
  set_up(fiber);
  relay_fiber_resume(fiber);
  return STATUS_OK;
}
