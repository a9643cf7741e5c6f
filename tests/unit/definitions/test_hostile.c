/* test_hostile.c - hostile packages, as a user would give them: refused with a reason, nothing is written,
 * little memory is spent, and the definitions stay as they were. */
#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "archive.h"

static const char scratch[] = BINARY_DIR "/test-hostile";
/* What one package may take: its tree, its bytes twice (as the test makes them), and the definitions. */
enum { MEMORY_KB = 800 * 1024 };

static size_t files_in(const char *folder) {
  DIR *dir = opendir(folder);
  size_t count = 0;
  assert_non_null(dir);
  while (readdir(dir))
    count++;
  closedir(dir);
  return count;
}

static const char *write_bytes(struct str bytes) {
  static char path[4200];
  const struct host *host = host_system();
  snprintf(path, sizeof path, "%s/hostile.tgz", scratch);
  assert_int_equal(host->write_file(host->context, path, bytes, false), STATUS_OK);
  return path;
}

/* Refused with a reason that says `why`; what was known before is all that is known. */
static void refused(struct str bytes, const char *why) {
  struct small small;
  const char *path = write_bytes(bytes);
  size_t files = files_in(scratch), here = files_in(".");
  assert_int_equal(small_build(&small, NULL), STATUS_OK);
  assert_int_equal(definitions_open_image(buf_str(&small.image), &small.diags, &small.definitions),
                   STATUS_OK);
  size_t types = definitions_type_count(small.definitions);
  diag_list_init(&small.diags, small.arena);
  enum status status = definitions_add_package(small.definitions, host_system(), path, &small.diags);
  assert_true(status == STATUS_INVALID || status == STATUS_LIMIT || status == STATUS_NOMEM);
  assert_int_equal(diag_errors(&small.diags), 1);
  if (str_find(small.diags.first->message, str_of(why), 0) == SIZE_MAX) print_diags(&small.diags);
  assert_true(str_find(small.diags.first->message, str_of(why), 0) != SIZE_MAX);
  assert_int_equal(definitions_type_count(small.definitions), types);
  assert_int_equal(definitions_package_count(small.definitions), 1);
  assert_int_equal(files_in(scratch), files);
  assert_int_equal(files_in("."), here);
  definitions_close(small.definitions);
  buf_release(&small.image);
  arena_free(small.arena);
}

static void refused_tar(const struct buf *tar, const char *why) {
  struct buf packed = gzip(tar);
  refused(buf_str(&packed), why);
  buf_release(&packed);
}

static struct buf begin(void) {
  struct buf tar;
  buf_init(&tar, (size_t)512 << 20);
  add_text(&tar, "package/package.json", '0', "{\"name\":\"evil\",\"version\":\"1.0.0\"}");
  return tar;
}

static void test_paths(void **state) {
  static const char *const names[] = {
      "../escaped.json",     "package/../../escaped.json", "/etc/escaped.json", "package/..", "..",
      "package/./../x.json", "package\\..\\..\\x.json",    "C:\\x.json"};
  (void)state;
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    struct buf tar = begin();
    add_text(&tar, names[i], '0', "{}");
    refused_tar(&tar, "leads out of it");
    buf_release(&tar);
  }
  for (int pax = 0; pax < 2; pax++) { /* the same in long names */
    struct buf tar = begin();
    add_text(&tar, "ignored", pax ? 'x' : 'L',
             pax ? "25 path=../escaped.json\n\n" : "package/../../escaped.json");
    add_text(&tar, "package/fine.json", '0', "{}");
    refused_tar(&tar, "leads out of it");
    buf_release(&tar);
  }
}

static void test_kinds(void **state) {
  static const char types[] = "123467K";
  (void)state;
  for (const char *type = types; *type; type++) {
    struct buf tar = begin();
    add_entry(&tar, &(struct entry){"package/odd.json", *type, "", 0});
    refused_tar(&tar, "link or a device");
    buf_release(&tar);
  }
}

/* As many zeros as 42.zip's first layer, in a file that is wanted and in one that is not. */
static void test_bombs(void **state) {
  static const char *const names[] = {"package/a.json", "package/a.bin", "package/example/a.json"};
  size_t size = (size_t)60 << 20;
  char *zeros = calloc(1, size);
  (void)state;
  assert_non_null(zeros);
  for (size_t i = 0; i < 3; i++) {
    struct buf tar = begin();
    add_entry(&tar, &(struct entry){names[i], '0', zeros, size});
    refused_tar(&tar, "ratio");
    buf_release(&tar);
  }
  struct buf tar = begin();
  add_entry(&tar, &(struct entry){"package/huge.json", '0', NULL, (size_t)LIMIT_TEXT_BYTES + 1});
  refused_tar(&tar, "too large");
  buf_release(&tar);
  free(zeros);
}

/* LIMIT_PACKAGE_ENTRIES less one, itself, and one more. */
static void test_entries(void **state) {
  (void)state;
  for (int more = -1; more <= 1; more++) {
    struct buf tar = begin();
    for (int i = 1; i < LIMIT_PACKAGE_ENTRIES + more; i++) {
      char name[64], text[64];
      snprintf(name, sizeof name, "other/%d-%u.txt", i, (unsigned)i * 2654435761u);
      snprintf(text, sizeof text, "%u %u", (unsigned)i * 2246822519u, (unsigned)i * 3266489917u);
      add_text(&tar, name, '0', text);
    }
    if (more > 0) {
      refused_tar(&tar, "too many entries");
    } else {
      struct small small;
      struct buf packed = gzip(&tar);
      const char *path = write_bytes(buf_str(&packed));
      assert_int_equal(small_build(&small, NULL), STATUS_OK);
      assert_int_equal(definitions_open_image(buf_str(&small.image), &small.diags, &small.definitions),
                       STATUS_OK);
      assert_int_equal(definitions_add_package(small.definitions, host_system(), path, &small.diags),
                       STATUS_OK);
      definitions_close(small.definitions);
      buf_release(&small.image);
      buf_release(&packed);
      arena_free(small.arena);
    }
    buf_release(&tar);
  }
}

static void test_damage(void **state) {
  (void)state;
  struct buf tar = begin();
  add_text(&tar, "package/a.json", '0', "{\"resourceType\":\"ValueSet\",\"url\":\"http://x\"}");
  struct buf packed = gzip(&tar);
  refused(str_make(packed.ptr, packed.len / 2), "truncated");
  refused(str_make(packed.ptr, packed.len - 9), "truncated");
  refused((struct str){0}, "truncated");
  refused(STR("PK\3\4 no gzip"), "damaged");
  packed.ptr[packed.len - 6] ^= 1; /* its checksum */
  refused(buf_str(&packed), "damaged");
  buf_release(&packed);
  buf_release(&tar);
}

/* A tar may be cut into several gzip members; what follows the last one is no gzip. */
static void test_members(void **state) {
  (void)state;
  struct buf tar = begin(), rest, all;
  add_text(&tar, "package/a.json", '0', "{\"resourceType\":\"ValueSet\",\"url\":\"http://x/vs\"}");
  buf_init(&rest, 1 << 20);
  buf_init(&all, 1 << 20);
  buf_add(&rest, tar.ptr + 700, tar.len - 700);
  tar.len = 700;
  struct buf first = gzip(&tar), second = gzip(&rest);
  buf_add_str(&all, buf_str(&first));
  buf_add_str(&all, buf_str(&second));
  struct small small;
  assert_int_equal(small_build(&small, NULL), STATUS_OK);
  assert_int_equal(definitions_open_image(buf_str(&small.image), &small.diags, &small.definitions),
                   STATUS_OK);
  assert_int_equal(
      definitions_add_package(small.definitions, host_system(), write_bytes(buf_str(&all)), &small.diags),
      STATUS_OK);
  assert_non_null(definitions_value_set(small.definitions, STR("http://x/vs")));
  definitions_close(small.definitions);
  buf_release(&small.image);
  arena_free(small.arena);
  all.len = first.len;
  buf_add_text(&all, "trailing bytes that are no gzip");
  refused(buf_str(&all), "damaged");
  struct buf *used[] = {&tar, &rest, &all, &first, &second};
  for (size_t i = 0; i < sizeof used / sizeof used[0]; i++)
    buf_release(used[i]);
}

/* Text of 12 MB whose tree would take more than LIMIT_PACKAGE_ARENA. */
static void test_tree(void **state) {
  (void)state;
  struct buf tar = begin(), json;
  uint32_t seed = 1;
  buf_init(&json, 64 << 20);
  buf_add_char(&json, '{');
  for (int list = 0; list < 60; list++) {
    buf_printf(&json, "%s\"a%d\":[0", list ? "," : "", list);
    for (int i = 0; i < LIMIT_CHILDREN - 1; i++) {
      const char item[2] = {',', (char)('0' + (seed >> 24) % 10)};
      seed = seed * 1664525u + 1013904223u;
      buf_add(&json, item, 2);
    }
    buf_add_char(&json, ']');
  }
  buf_add_char(&json, '}');
  add_entry(&tar, &(struct entry){"package/tree.json", '0', json.ptr, json.len});
  refused_tar(&tar, "too much memory");
  buf_release(&json);
  buf_release(&tar);
}

/* Deep; too long a name. */
static void test_content(void **state) {
  (void)state;
  struct buf tar = begin(), json;
  buf_init(&json, 1 << 20);
  for (int i = 0; i < 1000; i++)
    buf_add_text(&json, "{\"a\":");
  buf_add_char(&json, '\0');
  add_text(&tar, "package/deep.json", '0', json.ptr);
  refused_tar(&tar, "more than 64 levels");
  tar.len = 0;
  buf_reset(&json);
  for (int i = 0; i < 65537; i++)
    buf_add_char(&json, 'x');
  buf_add_char(&json, '\0');
  add_text(&tar, "ignored", 'L', json.ptr);
  add_text(&tar, "package/a.json", '0', "{}");
  refused_tar(&tar, "name is too long");
  buf_release(&json);
  buf_release(&tar);
}

static void test_memory(void **state) {
  struct rusage usage;
  (void)state;
  assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
  print_message("at most %ld MB\n", usage.ru_maxrss / 1024);
#ifndef __SANITIZE_ADDRESS__
  assert_true(usage.ru_maxrss < MEMORY_KB);
#endif
}

static int make_scratch(void **state) {
  (void)state;
  (void)mkdir(scratch, 0777);
  (void)write_bytes(STR("x"));
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_paths),   cmocka_unit_test(test_kinds),   cmocka_unit_test(test_bombs),
      cmocka_unit_test(test_damage),  cmocka_unit_test(test_members), cmocka_unit_test(test_content),
      cmocka_unit_test(test_entries), cmocka_unit_test(test_tree),    cmocka_unit_test(test_memory),
  };
  return cmocka_run_group_tests(tests, make_scratch, NULL);
}
