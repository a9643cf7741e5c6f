/* test_tgz.c - package files: read in memory; bombs, damage and odd names change nothing but the answer. */
#include "archive.h"
#include "definitions/build.h"

/* --- reading them --- */

struct seen {
  struct arena *arena;
  struct diag_list diags;
  struct buf names;
  size_t files, bytes;
};

static void see(void *context, struct str name, struct str text, struct arena *arena) {
  struct seen *seen = context;
  (void)arena;
  seen->files++;
  seen->bytes += text.len;
  buf_add_str(&seen->names, name);
  buf_add_char(&seen->names, ' ');
}

static enum status read_packed(struct seen *seen, struct str packed, const struct tgz_limits *limits) {
  static const struct tgz_limits wide = {LIMIT_PACKAGE_BYTES, LIMIT_PACKAGE_RATIO, LIMIT_PACKAGE_ENTRIES};
  struct source_visit visit = {.each = see, .context = seen};
  *seen = (struct seen){.arena = arena_new(1 << 20)};
  diag_list_init(&seen->diags, seen->arena);
  buf_init(&seen->names, 1 << 20);
  return def_tgz_read(packed, STR("p.tgz"), limits ? limits : &wide, &seen->diags, &visit);
}

static void forget(struct seen *seen) {
  buf_release(&seen->names);
  arena_free(seen->arena);
}

static enum status read_tar(struct seen *seen, const struct buf *tar, const struct tgz_limits *limits) {
  struct buf packed = gzip(tar);
  enum status status = read_packed(seen, buf_str(&packed), limits);
  buf_release(&packed);
  return status;
}

static void test_names(void **state) {
  (void)state;
  struct seen seen;
  struct buf tar;
  char longer[300];
  buf_init(&tar, 1 << 20);
  memset(longer, 'x', sizeof longer);
  memcpy(longer, "package/", 8);
  memcpy(longer + sizeof longer - 6, ".json", 6);
  char pax[400];
  snprintf(pax, sizeof pax, "27 path=package/by-pax.json\n");
  add_text(&tar, "package/package.json", '0', "{}");
  add_text(&tar, "package/a.json", 0, "{\"a\":1}");
  add_text(&tar, "package/b.txt", '0', "no");
  add_text(&tar, "package/example/c.json", '0', "no");
  add_text(&tar, "package/.index.json", '0', "no");
  add_text(&tar, "package/", '5', "");
  add_text(&tar, "ignored", 'L', longer);
  add_text(&tar, "package/short.json", '0', "long");
  add_text(&tar, "ignored", 'x', pax);
  add_text(&tar, "package/other.json", '0', "pax");
  add_text(&tar, "package/a.json", '0', "again");
  assert_int_equal(read_tar(&seen, &tar, NULL), STATUS_OK);
  assert_int_equal(seen.diags.count, 0);
  assert_int_equal(seen.files, 5);
  assert_true(str_find(buf_str(&seen.names), STR("p.tgz!package/by-pax.json"), 0) != SIZE_MAX);
  assert_true(str_find(buf_str(&seen.names), str_of(longer), 0) != SIZE_MAX);
  assert_true(str_find(buf_str(&seen.names), STR("short"), 0) == SIZE_MAX);
  forget(&seen);
  buf_release(&tar);
}

/* A whole archive cut at every byte: never more than a finding. */
static void test_truncated(void **state) {
  (void)state;
  struct buf tar;
  buf_init(&tar, 1 << 20);
  add_text(&tar, "package/a.json", '0', "{\"a\":1}");
  add_text(&tar, "package/b.json", '0', "{\"b\":1}");
  struct buf packed = gzip(&tar);
  for (size_t len = 0; len <= packed.len; len++) {
    struct seen seen;
    enum status status = read_packed(&seen, str_make(packed.ptr, len), NULL);
    assert_int_equal(status, len < packed.len ? STATUS_INVALID : STATUS_OK);
    assert_int_equal(seen.diags.count, status ? 1 : 0);
    forget(&seen);
  }
  for (size_t len = 1; len < tar.len; len += 37) { /* the tar inside is cut */
    struct seen seen;
    struct buf part = tar;
    part.len = len;
    enum status status = read_tar(&seen, &part, NULL);
    assert_true(status == STATUS_INVALID || len % BLOCK == 0);
    forget(&seen);
  }
  buf_release(&packed);
  buf_release(&tar);
}

static void test_damaged(void **state) {
  (void)state;
  struct buf tar;
  buf_init(&tar, 1 << 20);
  add_text(&tar, "package/a.json", '0', "{\"a\":1}");
  struct seen seen;
  assert_int_equal(read_packed(&seen, STR("not a package at all"), NULL), STATUS_INVALID);
  assert_int_equal(seen.diags.first->code, DIAG_PACKAGE_INVALID);
  forget(&seen);
  for (size_t at = 0; at < BLOCK; at += 3) { /* the header's own checksum */
    tar.ptr[at] ^= 1;
    assert_int_equal(read_tar(&seen, &tar, NULL), STATUS_INVALID);
    assert_int_equal(seen.files, 0);
    forget(&seen);
    tar.ptr[at] ^= 1;
  }
  tar.len = 0;
  add_block(&tar, &(struct entry){"package/huge.json", '0', NULL, (size_t)8 << 27});
  assert_int_equal(read_tar(&seen, &tar, NULL), STATUS_LIMIT);
  forget(&seen);
  tar.len = 0;
  add_block(&tar, &(struct entry){"package/cut.json", '0', NULL, 1 << 20});
  assert_int_equal(read_tar(&seen, &tar, NULL), STATUS_INVALID);
  forget(&seen);
  buf_release(&tar);
}

/* Each cap at N - 1, N and N + 1. */
static void test_caps(void **state) {
  (void)state;
  struct seen seen;
  struct buf tar;
  buf_init(&tar, 1 << 26);
  for (int i = 0; i < 5; i++)
    add_text(&tar, "package/a.json", '0', "{}");
  for (size_t entries = 4; entries <= 6; entries++) {
    const struct tgz_limits limits = {1 << 20, 1000000, entries};
    assert_int_equal(read_tar(&seen, &tar, &limits), entries < 5 ? STATUS_LIMIT : STATUS_OK);
    forget(&seen);
  }
  for (size_t bytes = tar.len - 1; bytes <= tar.len + 1; bytes++) {
    const struct tgz_limits limits = {bytes, 1000000, 100};
    assert_int_equal(read_tar(&seen, &tar, &limits), bytes < tar.len ? STATUS_LIMIT : STATUS_OK);
    if (bytes < tar.len) assert_int_equal(seen.diags.first->code, DIAG_INPUT_TOO_LARGE);
    forget(&seen);
  }
  buf_release(&tar);
}

/* 32 MiB of zeros in 32 kB: stopped by the ratio, in a skipped entry too. */
static void test_bomb(void **state) {
  (void)state;
  for (int wanted = 0; wanted < 2; wanted++) {
    struct seen seen;
    struct buf tar;
    size_t size = (size_t)32 << 20;
    char *zeros = calloc(1, size);
    buf_init(&tar, (size_t)64 << 20);
    add_entry(&tar, &(struct entry){wanted ? "package/a.json" : "package/a.bin", '0', zeros, size});
    assert_int_equal(read_tar(&seen, &tar, NULL), STATUS_LIMIT);
    assert_int_equal(seen.files, 0);
    assert_int_equal(seen.diags.count, 1);
    forget(&seen);
    buf_release(&tar);
    free(zeros);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_names), cmocka_unit_test(test_truncated), cmocka_unit_test(test_damaged),
      cmocka_unit_test(test_caps),  cmocka_unit_test(test_bomb),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
