/* test_add.c - packages added to a pack: dependencies, versions side by side, the file that grows. */
#include <sys/stat.h>
#include <unistd.h>
#include "archive.h"

static const char scratch[] = BINARY_DIR "/test-add";

static const char *in_scratch(char *out, size_t size, const char *name) {
  snprintf(out, size, "%s/%s", scratch, name);
  return out;
}

static void write_tgz(const char *name, const struct buf *tar) {
  char path[4200];
  struct buf packed = gzip(tar);
  const struct host *host = host_system();
  assert_int_equal(
      host->write_file(host->context, in_scratch(path, sizeof path, name), buf_str(&packed), false),
      STATUS_OK);
  buf_release(&packed);
}

/* A package with a profile, and a value set and a code system that change from version to version. */
struct made {
  const char *id, *version, *needs, *base, *max, *code;
};

static void make(const char *file, const struct made *made) {
  char text[4096];
  struct buf tar;
  buf_init(&tar, 1 << 20);
  /* the resources stand before what tells their package */
  snprintf(
      text, sizeof text,
      "{\"resourceType\":\"StructureDefinition\",\"url\":\"http://p/%s\",\"version\":\"%s\",\"name\":\"P%s\","
      "\"kind\":\"resource\",\"type\":\"Thing\",\"derivation\":\"constraint\",\"baseDefinition\":\"%s\","
      "\"differential\":{\"element\":[{\"path\":\"Thing.alias\",\"max\":\"%s\"},{\"path\":\"Thing.status\","
      "\"binding\":{\"strength\":\"required\",\"valueSet\":\"http://p/vs\"}},{\"path\":\"Thing.subject\","
      "\"type\":[{\"code\":\"Reference\",\"targetProfile\":[\"http://p/base\"]}]}]}}",
      made->id, made->version, made->id, made->base, made->max);
  add_text(&tar, "package/StructureDefinition-p.json", '0', text);
  snprintf(
      text, sizeof text,
      "{\"resourceType\":\"ValueSet\",\"url\":\"http://p/vs\",\"version\":\"%s\",\"compose\":{\"include\":["
      "{\"system\":\"http://p/cs\",\"concept\":[{\"code\":\"%s\"}]}]}}",
      made->version, made->code);
  if (made->code) add_text(&tar, "package/ValueSet-vs.json", '0', text);
  snprintf(text, sizeof text,
           "{\"name\":\"%s\",\"version\":\"%s\",\"fhirVersions\":[\"4.0.1\"],\"dependencies\":{%s}}",
           made->id, made->version, made->needs);
  add_text(&tar, "package/package.json", '0', text);
  write_tgz(file, &tar);
  buf_release(&tar);
}

#define THING EXAMPLE "StructureDefinition/Thing"

static int make_all(void **state) {
  (void)state;
  (void)mkdir(scratch, 0777);
  make("base-1.0.0.tgz", &(struct made){"base", "1.0.0", "", THING, "9", "one"});
  make("base-1.10.0.tgz", &(struct made){"base", "1.10.0", "", THING, "8", "ten"});
  make("base-1.2.0-rc.tgz", &(struct made){"base", "1.2.0-rc", "", THING, "7", "two"});
  make("user.tgz", &(struct made){"user", "1.0.0", "\"base\":\"1.0.0\",\"gone\":\"3.0.0\",\"../evil\":\"1\"",
                                  "http://p/base", "5", NULL});
  make("round-1.0.0.tgz", &(struct made){"round", "1.0.0", "\"trip\":\"1.0.0\"", THING, "3", NULL});
  make("trip#1.0.0.tgz", &(struct made){"trip", "1.0.0", "\"round\":\"1.0.0\"", THING, "2", NULL});
  return 0;
}

static const struct def_type *profile(const struct small *small, const char *url) {
  return definitions_type(small->definitions, str_of(url));
}

static uint32_t aliases(const struct small *small, const char *url) {
  return def_element_max(need_element(need_type(small, url), "alias"));
}

static bool has_code(const struct small *small, const char *url, const char *code) {
  const struct def_value_set *set = definitions_value_set(small->definitions, str_of(url));
  assert_non_null(set);
  return def_value_set_has(set, STR("http://p/cs"), str_of(code), NULL) == DEF_MEMBER;
}

static bool binds(const struct small *small, const char *url, const char *code) {
  struct def_binding binding;
  assert_true(def_element_binding(need_element(need_type(small, url), "status"), &binding));
  return binding.members &&
         def_value_set_has(binding.members, (struct str){0}, str_of(code), NULL) == DEF_MEMBER;
}

static enum status add(struct small *small, const char *name) {
  char path[4200];
  return definitions_add_package(small->definitions, host_system(), in_scratch(path, sizeof path, name),
                                 &small->diags);
}

/* A URL alone is the latest version, in whatever order they came; each finds what is its own. */
static void check_versions(const struct small *small) {
  assert_int_equal(aliases(small, "http://p/base|1.0.0"), 9);
  assert_int_equal(aliases(small, "http://p/base|1.2.0-rc"), 7);
  assert_int_equal(aliases(small, "http://p/base|1.10.0"), 8);
  assert_int_equal(aliases(small, "Pbase|1.0.0"), 9);
  assert_true(has_code(small, "http://p/vs|1.0.0", "one"));
  assert_true(has_code(small, "http://p/vs|1.10.0", "ten"));
  assert_true(binds(small, "http://p/base|1.0.0", "one"));
  assert_true(binds(small, "http://p/base|1.2.0-rc", "two"));
  const struct def_element *subject = need_element(need_type(small, "http://p/base|1.0.0"), "subject");
  assert_ptr_equal(definitions_element_target(small->definitions, subject, 0, 0),
                   profile(small, "http://p/base|1.0.0"));
}

static void test_orders(void **state) {
  static const char *const files[] = {"base-1.0.0.tgz", "base-1.10.0.tgz", "base-1.2.0-rc.tgz"};
  static const int orders[][3] = {{0, 1, 2}, {1, 0, 2}, {2, 1, 0}, {1, 2, 0}};
  (void)state;
  for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
    void *opened;
    assert_int_equal(small_open(&opened), 0);
    struct small *small = opened;
    for (int k = 0; k < 3; k++)
      assert_int_equal(add(small, files[orders[i][k]]), STATUS_OK);
    check_versions(small);
    const char *last = files[orders[i][2]]; /* what was added last is meant */
    assert_int_equal(aliases(small, "http://p/base"), strstr(last, "rc") ? 7 : strstr(last, "10") ? 8 : 9);
    assert_int_equal(definitions_prefer(small->definitions, STR("base"), STR("1.10.0")), STATUS_OK);
    assert_int_equal(aliases(small, "http://p/base"), 8);
    assert_true(has_code(small, "http://p/vs", "ten"));
    assert_int_equal(definitions_prefer(small->definitions, STR("base"), STR("2.0.0")), STATUS_NOT_FOUND);
    (void)small_close(&opened);
  }
}

/* The profile of `user` refines version 1.0.0 of its base, which was found beside it, although 1.10.0 is
 * there. */
static void test_needs(void **state) {
  struct small *small = *state;
  assert_int_equal(add(small, "base-1.10.0.tgz"), STATUS_OK);
  assert_int_equal(add(small, "user.tgz"), STATUS_OK);
  assert_ptr_equal(def_type_base(need_type(small, "http://p/user")), profile(small, "http://p/base|1.0.0"));
  assert_true(binds(small, "http://p/user", "one"));
  const struct def_element *subject = need_element(need_type(small, "http://p/user"), "subject");
  assert_ptr_equal(definitions_element_target(small->definitions, subject, 0, 0),
                   profile(small, "http://p/base|1.0.0"));
  assert_int_equal(small->diags.count, 1);
  assert_int_equal(small->diags.first->severity, DIAG_WARNING);
  assert_true(str_ends(small->diags.first->message, STR(": gone#3.0.0, ../evil#1")));
  size_t last = definitions_package_count(small->definitions) - 1;
  assert_int_equal(definitions_need_count(small->definitions, last), 3);
  assert_text(definitions_need(small->definitions, last, 0).present, "1.0.0");
  assert_int_equal(definitions_need(small->definitions, last, 1).present.len, 0);
}

static void test_circle(void **state) {
  struct small *small = *state;
  assert_int_equal(add(small, "round-1.0.0.tgz"), STATUS_OK);
  assert_int_equal(small->diags.count, 0);
  assert_int_equal(aliases(small, "http://p/trip"), 2);
  assert_int_equal(aliases(small, "http://p/round"), 3);
}

static void test_names(void **state) {
  struct small *small = *state;
  char old[4096];
  const struct host *host = host_system();
  assert_non_null(getcwd(old, sizeof old));
  assert_int_equal(chdir(scratch), 0);
  assert_int_equal(definitions_add_package(small->definitions, host, "base@1.0.0", &small->diags), STATUS_OK);
  size_t count = definitions_package_count(small->definitions);
  assert_int_equal(definitions_add_package(small->definitions, host, "base#1.0.0", &small->diags), STATUS_OK);
  assert_int_equal(definitions_package_count(small->definitions), count); /* it is there */
  assert_int_equal(definitions_add_package(small->definitions, host, "base#4.0.0", &small->diags),
                   STATUS_NOT_FOUND);
  assert_int_equal(diag_errors(&small->diags), 1);
  /* no version: what has a slash is the path of a file, and never part of one in the cache */
  (void)mkdir("kept#1", 0777);
  make("kept#1/base.tgz", &(struct made){"base", "3.0.0", "", THING, "6", "three"});
  assert_int_equal(definitions_add_package(small->definitions, host, "kept#1/base.tgz", &small->diags), STATUS_OK);
  assert_int_equal(aliases(small, "http://p/base|3.0.0"), 6);
  assert_int_equal(chdir(old), 0);
}

/* The file grows by an image; what was there is found as before. */
static void test_file(void **state) {
  struct small *small = *state;
  char path[4200], first[4200], second[4200];
  const struct host *host = host_system();
  struct small file = {.arena = small->arena};
  diag_list_init(&file.diags, small->arena);
  in_scratch(path, sizeof path, "grown.pack");
  assert_int_equal(host->write_file(host->context, path, buf_str(&small->image), false), STATUS_OK);
  const char *specs[] = {in_scratch(first, sizeof first, "base-1.10.0.tgz"),
                         in_scratch(second, sizeof second, "user.tgz")};
  for (int round = 0; round < 2; round++) {
    struct buf grown;
    buf_init(&grown, 1 << 26);
    assert_int_equal(definitions_open(path, &file.diags, &file.definitions), STATUS_OK);
    assert_int_equal(definitions_extend(file.definitions, host, &specs[round], 1, &file.diags, &grown),
                     STATUS_OK);
    definitions_close(file.definitions);
    assert_int_equal(host->write_file(host->context, path, buf_str(&grown), false), STATUS_OK);
    buf_release(&grown);
  }
  assert_int_equal(definitions_open(path, &file.diags, &file.definitions), STATUS_OK);
  assert_true(definitions_verify(file.definitions));
  assert_int_equal(aliases(&file, "http://p/base"), 8);
  assert_int_equal(aliases(&file, "http://p/base|1.0.0"), 9);
  assert_ptr_equal(def_type_base(need_type(&file, "http://p/user")), profile(&file, "http://p/base|1.0.0"));
  assert_ptr_equal(def_type_constrained(need_type(&file, "http://p/user")), need_type(&file, "Thing"));
  assert_true(binds(&file, "http://p/user", "one"));
  definitions_close(file.definitions);
}

/* Adds to the file; false: nothing was new. */
static bool grow(const char *path, const char *name, struct diag_list *diags) {
  char spec[4200];
  const char *specs[] = {in_scratch(spec, sizeof spec, name)};
  const struct host *host = host_system();
  struct definitions *opened = NULL;
  struct buf grown;
  buf_init(&grown, 1 << 26);
  assert_int_equal(definitions_open(path, diags, &opened), STATUS_OK);
  assert_int_equal(definitions_extend(opened, host, specs, 1, diags, &grown), STATUS_OK);
  definitions_close(opened);
  bool more = grown.len != 0;
  if (more) assert_int_equal(host->write_file(host->context, path, buf_str(&grown), false), STATUS_OK);
  buf_release(&grown);
  return more;
}

/* What is there is told and not read again, unless something that it needs has come since. */
static void test_again(void **state) {
  struct small *small = *state;
  char path[4200], late[4200];
  const struct host *host = host_system();
  in_scratch(path, sizeof path, "again.pack");
  (void)unlink(in_scratch(late, sizeof late, "late-1.0.0.tgz"));
  make("early-1.0.0.tgz", &(struct made){"early", "1.0.0", "\"late\":\"1.0.0\"", "http://p/late", "5", NULL});
  assert_int_equal(host->write_file(host->context, path, buf_str(&small->image), false), STATUS_OK);
  assert_true(grow(path, "early-1.0.0.tgz", &small->diags));
  assert_int_equal(small->diags.by_severity[DIAG_WARNING], 2); /* no package, and so no base */
  assert_false(grow(path, "early-1.0.0.tgz", &small->diags));
  assert_int_equal(small->diags.by_severity[DIAG_INFORMATION], 1);
  make("late-1.0.0.tgz", &(struct made){"late", "1.0.0", "", THING, "7", NULL});
  assert_true(grow(path, "late-1.0.0.tgz", &small->diags));
  assert_true(grow(path, "early-1.0.0.tgz", &small->diags)); /* its base is there now */
  assert_false(grow(path, "early-1.0.0.tgz", &small->diags));
  assert_int_equal(small->diags.last->code, DIAG_PACKAGE_PRESENT);
  struct small file = {.arena = small->arena};
  assert_int_equal(definitions_open(path, &small->diags, &file.definitions), STATUS_OK);
  assert_ptr_equal(def_type_base(need_type(&file, "http://p/early")), profile(&file, "http://p/late"));
  definitions_close(file.definitions);
}

/* What was missing lies beside it by now. */
static void test_again_beside(void **state) {
  struct small *small = *state;
  char path[4200], late[4200];
  const struct host *host = host_system();
  in_scratch(path, sizeof path, "beside.pack");
  (void)unlink(in_scratch(late, sizeof late, "late-1.0.0.tgz"));
  make("early-1.0.0.tgz", &(struct made){"early", "1.0.0", "\"late\":\"1.0.0\"", "http://p/late", "5", NULL});
  assert_int_equal(host->write_file(host->context, path, buf_str(&small->image), false), STATUS_OK);
  assert_true(grow(path, "early-1.0.0.tgz", &small->diags));
  make("late-1.0.0.tgz", &(struct made){"late", "1.0.0", "", THING, "7", NULL});
  assert_true(grow(path, "early-1.0.0.tgz", &small->diags));
  assert_false(grow(path, "early-1.0.0.tgz", &small->diags));
}

/* Names and versions by the rules of npm and FHIR; others are refused with their place, and nothing is known of them. */
static void test_identity(void **state) {
  static const struct {
    const char *id, *version;
    bool fine;
  } rows[] = {
      {"a", "1.0.0", true},
      {"0x-a_b.c", "1.0.0-ballot.2+build-7", true},
      {"@x/y", "2024.01.05", true},
      {"", "1.0.0", false},
      {"../../evil", "1.0.0", false},
      {"..", "1.0.0", false},
      {".hidden", "1.0.0", false},
      {"-x", "1.0.0", false},
      {"a/b", "1.0.0", false},
      {"@x", "1.0.0", false},
      {"@x/", "1.0.0", false},
      {"@/y", "1.0.0", false},
      {"@x/../y", "1.0.0", false},
      {"Upper.Case", "1.0.0", true}, /* registries have such names */
      {"../UP", "1.0.0", false},
      {"a b", "1.0.0", false},
      {"a\\u001b[31m", "1.0.0", false},
      {"a", "", false},
      {"a", "1", false},
      {"a", "1.0", false},
      {"a", "1.0.0.0", false},
      {"a", "1.0.0-", false},
      {"a", "1.0.0/..", false},
      {"a", "v1.0.0", false},
      {"a", "current", false},
      {"a", "1.0.0\\u0007", false},
  };
  struct small *small = *state;
  size_t packages = definitions_package_count(small->definitions);
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    make("identity.tgz", &(struct made){rows[i].id, rows[i].version, "", THING, "9", NULL});
    size_t errors = diag_errors(&small->diags);
    enum status status = add(small, "identity.tgz");
    if (status != (rows[i].fine ? STATUS_OK : STATUS_INVALID)) fail_msg("%s#%s", rows[i].id, rows[i].version);
    packages += rows[i].fine;
    assert_int_equal(definitions_package_count(small->definitions), packages);
    assert_int_equal(diag_errors(&small->diags), errors + !rows[i].fine);
    if (!rows[i].fine) assert_true(small->diags.last->line == 1 && small->diags.last->code == DIAG_PACKAGE_INVALID);
  }
}

/* A name is as long as npm lets it be. */
static void test_identity_long(void **state) {
  struct small *small = *state;
  for (int more = -1; more <= 1; more++) {
    char name[LIMIT_PACKAGE_NAME + 2];
    memset(name, 'n', sizeof name);
    name[LIMIT_PACKAGE_NAME + more] = '\0';
    make("identity.tgz", &(struct made){name, "1.0.0", "", THING, "9", NULL});
    assert_int_equal(add(small, "identity.tgz"), more > 0 ? STATUS_INVALID : STATUS_OK);
  }
}

/* A file holds LIMIT_PACK_IMAGES images, and opens with as many. */
static void test_images(void **state) {
  struct small *small = *state;
  char path[4200], spec[4200];
  const struct host *host = host_system();
  struct small file = {.arena = small->arena};
  diag_list_init(&file.diags, small->arena);
  in_scratch(path, sizeof path, "many.pack");
  const char *specs[] = {in_scratch(spec, sizeof spec, "many.tgz")};
  assert_int_equal(host->write_file(host->context, path, buf_str(&small->image), false), STATUS_OK);
  for (int images = 2; images <= LIMIT_PACK_IMAGES + 1; images++) {
    struct buf grown;
    char version[16];
    snprintf(version, sizeof version, "%d.0.0", images);
    make("many.tgz", &(struct made){"many", version, "", THING, "9", "one"});
    buf_init(&grown, 1 << 26);
    assert_int_equal(definitions_open(path, &file.diags, &file.definitions), STATUS_OK);
    enum status status = definitions_extend(file.definitions, host, specs, 1, &file.diags, &grown);
    assert_int_equal(status, images > LIMIT_PACK_IMAGES ? STATUS_LIMIT : STATUS_OK);
    definitions_close(file.definitions);
    if (!status) assert_int_equal(host->write_file(host->context, path, buf_str(&grown), false), STATUS_OK);
    buf_release(&grown);
  }
  assert_int_equal(diag_errors(&file.diags), 1);
}

/* Damage in the second image is found like damage in the first. */
static void test_damaged_file(void **state) {
  struct small *small = *state;
  char path[4200];
  struct str text;
  const struct host *host = host_system();
  in_scratch(path, sizeof path, "grown.pack");
  assert_int_equal(host->read_file(host->context, path, 1 << 26, small->arena, &text), STATUS_OK);
  char *bytes = (char *)(uintptr_t)text.ptr;
  size_t second = (small->image.len + 4095) / 4096 * 4096;
  const size_t cuts[] = {text.len - 1, second + 1, second, second - 1, small->image.len + 1, 0};
  for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
    struct definitions *opened = NULL;
    enum status status = definitions_open_image(str_make(bytes, cuts[i]), &small->diags, &opened);
    assert_int_equal(status, STATUS_INVALID);
  }
  for (size_t at = second; at < second + 600; at += 7) {
    struct definitions *opened = NULL;
    bytes[at] ^= 1;
    assert_int_equal(definitions_open_image(text, &small->diags, &opened), STATUS_INVALID);
    bytes[at] ^= 1;
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_orders),
      cmocka_unit_test_setup_teardown(test_needs, small_open, small_close),
      cmocka_unit_test_setup_teardown(test_circle, small_open, small_close),
      cmocka_unit_test_setup_teardown(test_names, small_open, small_close),
      cmocka_unit_test_setup_teardown(test_file, small_open, small_close),
      cmocka_unit_test_setup_teardown(test_again, small_open, small_close),
      cmocka_unit_test_setup_teardown(test_again_beside, small_open, small_close),
      cmocka_unit_test_setup_teardown(test_identity, small_open, small_close),
      cmocka_unit_test_setup_teardown(test_identity_long, small_open, small_close),
      cmocka_unit_test_setup_teardown(test_images, small_open, small_close),
      cmocka_unit_test_setup_teardown(test_damaged_file, small_open, small_close),
  };
  return cmocka_run_group_tests(tests, make_all, NULL);
}
