/* test_host.c - clock, randomness, files, identifiers. */
#include <fcntl.h>
#include <sys/stat.h>
#include "folder.h"

static void test_read_write(void **state) {
  (void)state;
  const struct host *host = host_system();
  struct arena *arena = arena_new(1 << 20);
  struct str text;
  struct stat info;
  put_file("a", "hello");
  assert_int_equal(host->read_file(NULL, in_folder("a"), 5, arena, &text), STATUS_OK);
  assert_true(str_is(text, "hello"));
  assert_int_equal(text.ptr[5], '\0');
  assert_int_equal(host->read_file(NULL, in_folder("a"), 4, arena, &text), STATUS_LIMIT);
  assert_int_equal(host->read_file(NULL, in_folder("a"), 6, arena, &text), STATUS_OK);
  put_file("a", "");
  assert_int_equal(host->read_file(NULL, in_folder("a"), 5, arena, &text), STATUS_OK);
  assert_true(text.ptr && text.len == 0);
  assert_int_equal(host->write_file(NULL, in_folder("s"), STR("secret"), true), STATUS_OK);
  assert_int_equal(stat(in_folder("s"), &info), 0);
  assert_int_equal(info.st_mode & 0777, 0600);
  assert_int_equal(host->read_file(NULL, in_folder("absent"), 5, arena, &text), STATUS_NOT_FOUND);
  assert_int_equal(host->read_file(NULL, in_folder("a/b"), 5, arena, &text), STATUS_NOT_FOUND);
  assert_int_equal(host->read_file(NULL, folder, 5, arena, &text), STATUS_IO);
  assert_int_equal(host->write_file(NULL, in_folder("absent/x"), STR("x"), false), STATUS_NOT_FOUND);
  assert_int_equal(host->write_file(NULL, folder, STR("x"), false), STATUS_IO);
  assert_int_equal(host->write_file(NULL, "/dev/null", STR("x"), false), STATUS_OK);
  assert_int_equal(host->write_file(NULL, "/dev/full", STR("x"), false), STATUS_IO);
  arena_fail_at(arena, 1);
  assert_int_equal(host->read_file(NULL, in_folder("s"), 99, arena, &text), STATUS_NOMEM);
  arena_free(arena);
}

/* What is read in pieces of unknown number: a pipe. */
static void test_stream(void **state) {
  (void)state;
  struct arena *arena = arena_new(1 << 20);
  char path[64];
  int ends[2];
  for (int max = 29999; max <= 30001; max++) {
    struct str text;
    assert_int_equal(pipe(ends), 0);
    snprintf(path, sizeof path, "/dev/fd/%d", ends[0]);
    for (int i = 0; i < 3000; i++)
      assert_int_equal(write(ends[1], "0123456789", 10), 10);
    close(ends[1]);
    enum status status = host_system()->read_file(NULL, path, (size_t)max, arena, &text);
    assert_int_equal(status, max < 30000 ? STATUS_LIMIT : STATUS_OK);
    if (!status) assert_int_equal(text.len, 30000);
    close(ends[0]);
  }
  arena_free(arena);
}

/* Nothing is left behind, whether it worked or not. */
static void test_list(void **state) {
  (void)state;
  struct arena *arena = arena_new(1 << 20);
  struct str *names;
  size_t count;
  put_file("b.json", "{}");
  put_file("a.json", "{}");
  put_file("c.txt", "");
  assert_int_equal(mkdir(in_folder("d.json"), 0700), 0);
  assert_int_equal(host_system()->list_files(NULL, folder, STR(".json"), arena, &names, &count), STATUS_OK);
  assert_int_equal(count, 2);
  assert_true(str_is(names[0], "a.json") && str_is(names[1], "b.json"));
  assert_int_equal(host_system()->list_files(NULL, folder, STR(".tmp"), arena, &names, &count), STATUS_OK);
  assert_int_equal(count, 0);
  assert_int_equal(host_system()->list_files(NULL, in_folder("x"), STR(""), arena, &names, &count),
                   STATUS_NOT_FOUND);
  for (unsigned long n = 1; n <= 3; n++) {
    arena_fail_at(arena, n);
    assert_int_equal(host_system()->list_files(NULL, folder, STR(".json"), arena, &names, &count),
                     STATUS_NOMEM);
  }
  assert_int_equal(rmdir(in_folder("d.json")), 0);
  arena_free(arena);
}

static void test_map_file(void **state) {
  (void)state;
  struct str mapping;
  put_file("m", "mapped");
  assert_int_equal(file_map(in_folder("m"), &mapping), STATUS_OK);
  assert_true(str_eq(mapping, STR("mapped")));
  file_unmap(mapping);
  char pages[20000];
  memset(pages, 'p', sizeof pages - 1);
  pages[sizeof pages - 1] = '\0';
  put_file("m", pages);
  assert_int_equal(file_map(in_folder("m"), &mapping), STATUS_OK);
  assert_int_equal(file_forget(mapping, 0, 100), 0); /* less than a page */
  size_t forgotten = file_forget(mapping, 0, 12000);
  assert_in_range(forgotten, 1, 12000);
  assert_int_equal(file_forget(mapping, forgotten, mapping.len + 100000), forgotten);
  assert_true(str_eq(mapping, str_of(pages)));
  file_unmap(mapping);
  put_file("m", "");
  assert_int_equal(file_map(in_folder("m"), &mapping), STATUS_OK);
  assert_int_equal(mapping.len, 0);
  file_unmap(mapping);
  assert_int_equal(file_map(in_folder("absent"), &mapping), STATUS_NOT_FOUND);
  assert_int_equal(file_map(folder, &mapping), STATUS_IO);
}

static void test_clock(void **state) {
  (void)state;
  const struct host *host = host_system();
  int64_t first = host->monotonic_ns(NULL);
  assert_true(host->monotonic_ns(NULL) >= first);
  assert_true(host->now_ms(NULL) > 1700000000000);
}

static enum status fake_random(void *context, void *bytes, size_t count) {
  memset(bytes, *(const int *)context, count);
  return *(const int *)context ? STATUS_OK : STATUS_IO;
}

static void test_uuid(void **state) {
  (void)state;
  unsigned char dns[16], back[16];
  char text[UUID_TEXT], other[UUID_TEXT];
  int byte = 0xFF;
  struct host fake = {.context = &byte, .random = fake_random};
  assert_true(uuid_parse(STR("6ba7b810-9dad-11d1-80b4-00c04fd430c8"), dns));
  uuid_v5(dns, STR("www.example.com"), text); /* RFC 9562, appendix A.4 */
  assert_string_equal(text, "2ed6657d-e927-568b-95e1-2665a8aea6a2");
  uuid_v5(dns, (struct str){0}, text);
  assert_string_equal(text, "4ebd0208-8328-5d69-8c44-ec50939c0967");
  assert_true(uuid_parse(str_of("6BA7B810-9DAD-11D1-80B4-00C04FD430C8"), back));
  assert_memory_equal(dns, back, 16);
  assert_false(uuid_parse(STR("6ba7b810-9dad-11d1-80b4-00c04fd430c"), back));
  assert_false(uuid_parse(STR("6ba7b8109dad-11d1-80b4-00c04fd430c88"), back));
  assert_false(uuid_parse(STR("6ba7b810-9dad-11d1-80b4-00c04fd430cg"), back));
  assert_int_equal(uuid_v4(&fake, text), STATUS_OK);
  assert_string_equal(text, "ffffffff-ffff-4fff-bfff-ffffffffffff");
  byte = 0;
  assert_int_equal(uuid_v4(&fake, text), STATUS_IO);
  assert_int_equal(uuid_v4(host_system(), text), STATUS_OK);
  assert_int_equal(uuid_v4(host_system(), other), STATUS_OK);
  assert_string_not_equal(text, other);
}

static void test_sha256(void **state) {
  (void)state;
  char text[65];
  sha256_hex(STR("abc"), text); /* FIPS 180-4 */
  assert_string_equal(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  sha256_hex((struct str){0}, text);
  assert_string_equal(text, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_read_write), cmocka_unit_test(test_stream), cmocka_unit_test(test_list),
      cmocka_unit_test(test_map_file),   cmocka_unit_test(test_clock),  cmocka_unit_test(test_uuid),
      cmocka_unit_test(test_sha256),
  };
  return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
