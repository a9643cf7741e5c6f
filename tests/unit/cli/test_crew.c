/* test_crew.c - arguments to records, by several threads: order, what cannot be opened, an end before the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "cli/crew.h"

enum { RECORDS = 300 };

static char many[64], blanks[64];
static struct cli cli = {.quiet = true};

static int make(void **state) {
  struct buf text;
  (void)state;
  cli.host = host_system();
  snprintf(many, sizeof many, "/tmp/ketlink-crew-%d.ndjson", (int)getpid());
  snprintf(blanks, sizeof blanks, "/tmp/ketlink-crew-%d-large.ndjson", (int)getpid());
  buf_init(&text, LIMIT_TEXT_BYTES);
  for (int i = 0; i < RECORDS; i++)
    buf_printf(&text, "{\"n\":%d}\n", i);
  enum status status = cli.host->write_file(NULL, many, buf_str(&text), true);
  for (size_t i = 0; i < (20u << 20) / 64; i++)
    buf_printf(&text, "%63s\n", "");
  buf_add_text(&text, "{\"n\":1000}\n");
  if (status == STATUS_OK) status = cli.host->write_file(NULL, blanks, buf_str(&text), true);
  buf_release(&text);
  return status == STATUS_OK ? 0 : -1;
}

static int unmake(void **state) {
  (void)state;
  return unlink(many) || unlink(blanks);
}

struct slot {
  struct buf text;
  enum status status;
};

struct seen {
  struct buf text;
  size_t prints, end_after;
};

/* The line as it stands; those that come later take less time. */
static void work(void *context, struct cli_item *item, struct arena *arena, void *into) {
  struct slot *slot = into;
  struct intake_input before = item->input;
  struct timespec pause = {.tv_nsec = item->number % 7 == 0 ? 500000 : 0};
  (void)context;
  (void)nanosleep(&pause, NULL);
  slot->status = item->status;
  if (item->status != STATUS_OK || !arena_alloc(arena, 100)) return;
  assert_true(intake_skip(&item->input));
  buf_add_str(&slot->text, str_trim(str_slice(before.text, before.at, item->input.at)));
}

static enum status print(void *context, void *from) {
  struct seen *seen = context;
  struct slot *slot = from;
  buf_printf(&seen->text, "%.*s%s\n", STR_ARG(buf_str(&slot->text)), slot->status == STATUS_OK ? "" : "none");
  return ++seen->prints == seen->end_after ? STATUS_IO : STATUS_OK;
}

static enum status run(const char *const *paths, size_t count, size_t jobs, struct seen *seen) {
  struct cli_crew crew = {.cli = &cli,
                          .paths = paths,
                          .path_count = count,
                          .jobs = jobs,
                          .context = seen,
                          .slot_bytes = sizeof(struct slot),
                          .slot_bufs = 1,
                          .work = work,
                          .print = print};
  buf_init(&seen->text, LIMIT_TEXT_BYTES);
  return cli_crew_run(&crew);
}

static void test_order(void **state) {
  static const size_t jobs[] = {1, 2, 7, CLI_JOBS_MAX};
  const char *paths[] = {many, "/nowhere/at-all.json", many};
  struct buf wanted;
  (void)state;
  buf_init(&wanted, LIMIT_TEXT_BYTES);
  for (int round = 0; round < 2; round++) {
    for (int i = 0; i < RECORDS; i++)
      buf_printf(&wanted, "{\"n\":%d}\n", i);
    if (round == 0) buf_add_text(&wanted, "none\n");
  }
  for (size_t i = 0; i < sizeof jobs / sizeof jobs[0]; i++) {
    struct seen seen = {0};
    assert_int_equal(run(paths, 3, jobs[i], &seen), STATUS_OK);
    assert_true(str_eq(buf_str(&seen.text), buf_str(&wanted)));
    buf_release(&seen.text);
  }
  buf_release(&wanted);
}

/* A large file is mapped; what lies behind the cursor is given back and can be read all the same. */
static void test_mapped(void **state) {
  const char *paths[] = {blanks};
  struct seen seen = {0};
  struct cli_records records;
  (void)state;
  assert_int_equal(run(paths, 1, 3, &seen), STATUS_OK);
  assert_int_equal(seen.prints, RECORDS + 1);
  assert_true(str_ends(buf_str(&seen.text), STR("{\"n\":1000}\n")));
  buf_release(&seen.text);
  assert_int_equal(cli_records_open(&cli, blanks, &records), STATUS_OK);
  struct intake_input first = records.input;
  assert_true(records.mapped && records.many);
  while (intake_skip(&records.input))
    cli_records_forget(&records);
  assert_true(records.forgotten > 0);
  assert_true(cli_records_share(&records) > 0.99);
  assert_true(intake_skip(&first));
  assert_true(str_eq(str_slice(first.text, 0, first.at), STR("{\"n\":0}\n")));
  cli_records_close(&records);
}

static void test_end(void **state) {
  const char *paths[] = {many, many};
  (void)state;
  for (size_t jobs = 1; jobs < 5; jobs += 3) {
    struct seen seen = {.end_after = 20};
    assert_int_equal(run(paths, 2, jobs, &seen), STATUS_IO);
    assert_int_equal(seen.prints, 20);
    buf_release(&seen.text);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_order), cmocka_unit_test(test_mapped),
                                     cmocka_unit_test(test_end)};
  return cmocka_run_group_tests(tests, make, unmake);
}
