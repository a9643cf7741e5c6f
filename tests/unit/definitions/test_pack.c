/* test_pack.c - packs on disk: damage anywhere is found before it is used. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "definitions/pack.h"
#include "small.h"

static enum status open_bytes(const struct small *small, struct str bytes) {
  struct definitions *definitions = NULL;
  struct arena *arena = arena_new(1 << 20);
  struct diag_list diags;
  diag_list_init(&diags, arena);
  enum status status = definitions_open_image(bytes, &diags, &definitions);
  assert_int_equal(status == STATUS_OK, definitions != NULL);
  assert_int_equal(status == STATUS_OK, diags.count == 0);
  if (status) assert_true(str_find(diags.first->message, STR("definitions build"), 0) != SIZE_MAX);
  definitions_close(definitions);
  arena_free(arena);
  (void)small;
  return status;
}

static void test_lengths(void **state) {
  const struct small *small = *state;
  struct str image = buf_str(&small->image);
  assert_int_equal(open_bytes(small, image), STATUS_OK);
  for (size_t len = 0; len < image.len; len += len < 1024 ? 1 : 977)
    assert_int_equal(open_bytes(small, str_slice(image, 0, len)), STATUS_INVALID);
  char *longer = malloc(image.len + 1);
  memcpy(longer, image.ptr, image.len);
  longer[image.len] = 0;
  assert_int_equal(open_bytes(small, str_make(longer, image.len + 1)), STATUS_INVALID);
  free(longer);
}

/* Every bit of the header, and bits all over HOT and WARM: refused when opened. */
static void test_flipped_bits(void **state) {
  const struct small *small = *state;
  size_t len = small->image.len;
  char *bytes = malloc(len);
  memcpy(bytes, small->image.ptr, len);
  const struct pack_header *header = (const void *)small->image.ptr;
  size_t checked = header->parts[PART_WARM].offset + header->parts[PART_WARM].size;
  for (size_t at = 0; at < checked; at += at < sizeof *header ? 1 : 257) {
    if (at >= sizeof *header && at < header->parts[PART_HOT].offset) continue; /* padding */
    if (at >= header->parts[PART_HOT].offset + header->parts[PART_HOT].size &&
        at < header->parts[PART_WARM].offset)
      continue;
    bytes[at] ^= (char)(1 << at % 8);
    assert_int_equal(open_bytes(small, str_make(bytes, len)), STATUS_INVALID);
    bytes[at] ^= (char)(1 << at % 8);
  }
  free(bytes);
}

/* A damaged block of codes knows nothing, and definitions_verify finds it; others go on. */
static void test_damaged_codes(void **state) {
  const struct small *small = *state;
  size_t len = small->image.len;
  const struct pack_header *header = (const void *)small->image.ptr;
  const struct pack_section *codes = &header->parts[PART_CODES];
  size_t unknown = 0;
  for (size_t at = codes->offset; at < codes->offset + codes->size; at++) {
    struct definitions *definitions = NULL;
    char *bytes = malloc(len);
    memcpy(bytes, small->image.ptr, len);
    bytes[at] ^= 4;
    struct diag_list diags;
    diag_list_init(&diags, small->arena);
    assert_int_equal(definitions_open_image(str_make(bytes, len), &diags, &definitions), STATUS_OK);
    const struct def_value_set *set = definitions_value_set(definitions, STR(EXAMPLE "ValueSet/listed"));
    enum def_membership on = def_value_set_has(set, (struct str){0}, STR("on"), NULL);
    assert_true(on == DEF_MEMBER || on == DEF_MEMBER_UNKNOWN);
    if (on == DEF_MEMBER_UNKNOWN) assert_false(def_value_set_complete(set));
    unknown += on == DEF_MEMBER_UNKNOWN;
    assert_false(definitions_verify(definitions));
    definitions_close(definitions);
    free(bytes);
  }
  assert_true(unknown > 20 && unknown < codes->size);
  assert_true(definitions_verify(small->definitions));
}

static void write_file(const char *path, struct str bytes) {
  assert_int_equal(host_system()->write_file(host_system()->context, path, bytes, false), STATUS_OK);
}

static void test_files(void **state) {
  const struct small *small = *state;
  char folder[] = "/tmp/ketlink-pack-XXXXXX", path[64];
  struct definitions *definitions = NULL;
  struct arena *arena = arena_new(1 << 20);
  struct diag_list diags;
  diag_list_init(&diags, arena);
  assert_non_null(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/a.pack", folder);
  assert_int_equal(definitions_open(path, &diags, &definitions), STATUS_NOT_FOUND);
  assert_int_equal(diags.count, 1);
  assert_int_equal(definitions_open(folder, &diags, &definitions), STATUS_IO);
  write_file(path, STR(""));
  assert_int_equal(definitions_open(path, &diags, &definitions), STATUS_INVALID);
  write_file(path, STR("KETLINK"));
  assert_int_equal(definitions_open(path, &diags, &definitions), STATUS_INVALID);
  write_file(path, buf_str(&small->image));
  assert_int_equal(definitions_open(path, &diags, &definitions), STATUS_OK);
  const struct def_value_set *set = definitions_value_set(definitions, STR(EXAMPLE "ValueSet/status"));
  assert_int_equal(def_value_set_has(set, (struct str){0}, STR("off"), NULL),
                   DEF_MEMBER); /* writes a state byte */
  assert_true(definitions_verify(definitions));
  definitions_close(definitions);
  unlink(path);
  assert_int_equal(mkfifo(path, 0600), 0);
  assert_int_equal(definitions_open(path, &diags, &definitions),
                   STATUS_IO); /* and does not wait for a writer */
  unlink(path);
  rmdir(folder);
  arena_free(arena);
}

/* The same sources give the same bytes. */
static void test_same_bytes(void **state) {
  const struct small *small = *state;
  struct small again;
  assert_int_equal(small_build(&again, DATA "/mappings/models"), STATUS_OK);
  assert_int_equal(again.image.len, small->image.len);
  assert_memory_equal(again.image.ptr, small->image.ptr, small->image.len);
  buf_release(&again.image);
  arena_free(again.arena);
}

static void test_checksum(void **state) {
  unsigned char bytes[300];
  (void)state;
  for (size_t i = 0; i < sizeof bytes; i++)
    bytes[i] = (unsigned char)(i * 7);
  for (size_t len = 0; len <= sizeof bytes; len += 13) {
    uint64_t whole = def_pack_checksum(bytes, len);
    assert_true(len == 0 || def_pack_checksum(bytes, len - 1) != whole);
    for (size_t bit = 0; bit < len * 8; bit += 5) {
      bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
      assert_true(def_pack_checksum(bytes, len) != whole);
      bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_lengths),       cmocka_unit_test(test_flipped_bits),
      cmocka_unit_test(test_damaged_codes), cmocka_unit_test(test_files),
      cmocka_unit_test(test_same_bytes),    cmocka_unit_test(test_checksum),
  };
  return cmocka_run_group_tests(tests, small_open, small_close);
}
