/* messages.h - for tests: messages written with one segment a line, and what is made of them. */
#ifndef KETLINK_TESTS_HL7V2_MESSAGES_H
#define KETLINK_TESTS_HL7V2_MESSAGES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include "hl7v2/hl7v2.h"
#include "../pack.h"

struct bench {
  struct arena *arena;
  struct diag_list diags;
  struct source source;
  struct hl7v2_message message;
};

static inline void bench_open(struct bench *bench) {
  *bench = (struct bench){.arena = arena_new(LIMIT_ARENA_BYTES)};
  assert_non_null(bench->arena);
  diag_list_init(&bench->diags, bench->arena);
}

static inline void bench_close(struct bench *bench) {
  arena_free(bench->arena);
}

static inline enum status bench_scan(struct bench *bench, struct str text, const struct hl7v2_limits *limits) {
  bench->source = source_make(STR("x.hl7"), text);
  return hl7v2_scan(&bench->source, limits, bench->arena, &bench->diags, &bench->message);
}

#define assert_str(got, wanted)                                                                                    \
  do {                                                                                                             \
    struct str got_ = (got), wanted_ = (wanted);                                                                   \
    if (!str_eq(got_, wanted_)) fail_msg("got \"%.*s\", wanted \"%.*s\"", STR_ARG(got_), STR_ARG(wanted_));         \
  } while (0)

#endif
