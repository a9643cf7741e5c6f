/*
 * pack.c - fuzz target: what definitions are read from. The first byte tells what follows:
 *
 *   {   a resource, as an overlay on the small package and as a package of its own
 *   t   a tar file; the sums of its headers are set right, then it is packed
 *   z   a .tgz as it stands
 *   i   changes to the image of a pack: three bytes of offset, one byte of value, again and again; a byte
 *       that is left over cuts as many bytes from its end
 *   f   the same as a file
 *
 * What must hold: a finding or a status; what was built can be opened and is whole; a changed image is
 * refused, or the change is found when everything is checked, and what can be asked until then gives an
 * answer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>
#include "definitions/build.h"
#include "fuzz.h"

enum { MEMORY = 16 << 20, BLOCK = 512, SUM_AT = 148, SIZE_AT = 124 };

static struct definitions *below;
static struct str image;

void fuzz_begin(void) {
  below = fuzz_small_pack(&image);
}

/* --- everything that can be asked */

static void ask_element(const struct def_element *element) {
  struct def_binding binding;
  struct def_slicing slicing;
  bool pattern;
  (void)def_element_binding(element, &binding);
  (void)def_element_fixed(element, &pattern);
  (void)def_element_path(element);
  for (size_t i = 0; i < def_element_constraint_count(element); i++)
    (void)def_element_constraint(element, i);
  for (size_t i = 0; i < def_element_type_count(element); i++)
    (void)def_element_type(element, i);
  if (!def_element_slicing(element, &slicing)) return;
  for (size_t i = 0; i < slicing.discriminators; i++)
    (void)def_element_discriminator(element, i);
  for (size_t i = 0; i < slicing.slices; i++)
    (void)def_element_slice_name(def_element_slice(element, i));
}

static void ask_terms(const struct definitions *definitions, struct str url) {
  const struct def_value_set *set = definitions_value_set(definitions, url);
  const struct def_code_system *system = definitions_code_system(definitions, url);
  struct str code, display;
  for (size_t i = 0; set && i < def_value_set_system_count(set); i++) {
    struct def_set_system part = def_value_set_system(set, i);
    for (size_t k = 0; k < part.codes; k++)
      if (def_value_set_code(set, i, k, &code, &display))
        FUZZ_REQUIRE(def_value_set_has(set, part.url, code, &display) != DEF_NOT_MEMBER);
  }
  for (size_t i = 0; system && i < def_code_system_size(system); i++)
    if (def_code_system_at(system, i, &code, &display))
      FUZZ_REQUIRE(def_code_system_has(system, code, &display));
  if (set) (void)def_value_set_nearest(set, STR("anmal"));
}

static void ask_packages(const struct definitions *definitions, struct str url) {
  size_t count = definitions_package_count(definitions);
  for (size_t i = 0; i <= count; i++) {
    (void)definitions_package(definitions, i);
    for (size_t n = 0; n <= definitions_need_count(definitions, i); n++)
      (void)definitions_need(definitions, i, n);
  }
  uint32_t symbol = definitions_symbol(definitions, STR("part"));
  struct str name = definitions_symbol_name(definitions, symbol);
  FUZZ_REQUIRE(symbol == 0 || str_is(name, "part"));
  (void)definitions_has_search(definitions, STR("Thing"), STR("part"));
  (void)definitions_has_search(definitions, url, STR("part"));
}

/* The version that is there can be asked for; any other is not found. */
static void prefer(struct definitions *definitions) {
  struct def_package package = definitions_package(definitions, 0);
  enum status status = definitions_prefer(definitions, package.id, package.version);
  FUZZ_REQUIRE(status == STATUS_OK || fuzz_memory_fails() || !definitions_package_count(definitions));
  FUZZ_REQUIRE(definitions_prefer(definitions, package.id, STR("none")) != STATUS_OK);
}

static void ask_all(const struct definitions *definitions, struct str url) {
  for (size_t i = 0; i < definitions_type_count(definitions); i++) {
    const struct def_type *type = definitions_type_at(definitions, i);
    struct str name = def_type_name(type);
    FUZZ_REQUIRE(name.ptr);
    (void)definitions_nearest_type(definitions, name);
    for (size_t e = 0; e < def_type_element_count(type); e++) {
      const struct def_element *element = def_type_element_at(type, e);
      FUZZ_REQUIRE(def_type_element_named(type, def_element_name(element)) != NULL);
      ask_element(element);
    }
  }
  ask_terms(definitions, url);
  ask_packages(definitions, url);
}

/* --- resources */

static void check_image(struct builder *b, struct str url, struct diag_list *diags) {
  struct definitions *opened = NULL;
  struct buf bytes;
  buf_init(&bytes, 1 << 26);
  FUZZ_REQUIRE(buf_reserve(&bytes, def_image_size(&b->image)));
  def_image_finish(&b->image, bytes.ptr, bytes.ptr, PACK_UNCHECKED);
  bytes.len = b->image.header.size;
  FUZZ_REQUIRE(definitions_open_image(buf_str(&bytes), diags, &opened) == STATUS_OK);
  FUZZ_REQUIRE(definitions_verify(opened));
  ask_all(opened, url);
  definitions_close(opened);
  buf_release(&bytes);
}

/* As a package of its own. */
static void build(const struct tree_node *root, const struct source *source) {
  struct arena *arena = fuzz_arena(MEMORY);
  struct diag_list diags;
  struct builder b;
  diag_list_init(&diags, arena);
  if (def_builder_init(&b, NULL, &diags) == STATUS_OK) {
    (void)def_builder_add(&b, root, source);
    for (const struct tree_node *node = tree_find(root, "contained"); node; node = tree_next_same(node))
      (void)def_builder_add(&b, node, source);
    if (def_builder_finish(&b) == STATUS_OK) check_image(&b, tree_text(root, "url"), &diags);
  }
  def_builder_release(&b);
  arena_free(arena);
}

/* Over the small package, opened anew. */
static void overlay(struct tree_node *root) {
  struct arena *arena = fuzz_arena(MEMORY);
  struct definitions *opened = NULL;
  struct diag_list diags;
  diag_list_init(&diags, arena);
  FUZZ_REQUIRE(definitions_open_image(image, &diags, &opened) == STATUS_OK);
  enum status status = definitions_overlay(opened, &root, 1, &diags);
  if (status == STATUS_OK) ask_all(opened, tree_text(root, "url"));
  definitions_close(opened);
  arena_free(arena);
}

static void resources(struct str text) {
  struct arena *arena = fuzz_arena(MEMORY);
  struct source source = source_make(STR("resource.json"), text);
  struct diag_list diags;
  struct tree_node *root = NULL;
  diag_list_init(&diags, arena);
  if (tree_read_json(&source, NULL, arena, &diags, &root) == STATUS_OK) {
    build(root, &source);
    overlay(root);
  }
  arena_free(arena);
}

/* --- package files */

static void touch(void *context, struct str name, struct str text, struct arena *arena) {
  size_t *sum = context;
  (void)arena;
  for (size_t i = 0; i < text.len; i++)
    *sum += (unsigned char)text.ptr[i];
  FUZZ_REQUIRE(name.len > 0 && text.ptr[text.len] == '\0');
}

static void read_tgz(struct str packed) {
  static const struct tgz_limits limits = {.bytes = 1 << 20, .ratio = 20, .entries = 20};
  struct arena *arena = fuzz_arena(MEMORY);
  struct diag_list diags;
  size_t sum = 0;
  struct source_visit visit = {.context = &sum, .each = touch};
  diag_list_init(&diags, arena);
  enum status status = def_tgz_read(packed, STR("input.tgz"), &limits, &diags, &visit);
  FUZZ_REQUIRE(status == STATUS_OK || status == STATUS_NOMEM || diag_errors(&diags) > 0);
  arena_free(arena);
}

static void set_sum(unsigned char *block) {
  unsigned sum = 0;
  memset(block + SUM_AT, ' ', 8);
  for (unsigned i = 0; i < BLOCK; i++)
    sum += block[i];
  for (int i = 5; i >= 0; i--, sum /= 8)
    block[SUM_AT + i] = (unsigned char)('0' + sum % 8);
  block[SUM_AT + 6] = '\0';
}

static size_t content_size(const unsigned char *block) {
  size_t size = 0;
  for (int i = 0; i < 11; i++)
    if (block[SIZE_AT + i] >= '0' && block[SIZE_AT + i] <= '7')
      size = size * 8 + (size_t)(block[SIZE_AT + i] - '0');
  return size;
}

static void read_tar(struct str tar) {
  static const unsigned char zeros[BLOCK];
  unsigned char *bytes = malloc(tar.len + 1), *packed = malloc(tar.len * 2 + 1024);
  z_stream z = {.next_in = bytes, .avail_in = (unsigned)tar.len, .next_out = packed};
  FUZZ_REQUIRE(bytes && packed && deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  if (tar.len) memcpy(bytes, tar.ptr, tar.len);
  for (size_t at = 0; at + BLOCK <= tar.len;
       at += BLOCK + (content_size(bytes + at) + BLOCK - 1) / BLOCK * BLOCK)
    if (memcmp(bytes + at, zeros, BLOCK) != 0) set_sum(bytes + at);
  z.avail_out = (unsigned)(tar.len * 2 + 1024);
  FUZZ_REQUIRE(deflate(&z, Z_FINISH) == Z_STREAM_END);
  read_tgz(str_make((const char *)packed, z.total_out));
  deflateEnd(&z);
  free(bytes);
  free(packed);
}

/* --- images */

/* By name, from a file that only this process has. */
static enum status open_file(struct str bytes, struct diag_list *diags, struct definitions **out) {
  char path[64];
  int fd = memfd_create("image", MFD_CLOEXEC);
  FUZZ_REQUIRE(fd >= 0 && write(fd, bytes.ptr, bytes.len) == (ssize_t)bytes.len);
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  enum status status = definitions_open(path, diags, out);
  close(fd);
  return status;
}

static void check_opened(struct str bytes, bool file, bool same) {
  struct arena *arena = fuzz_arena(MEMORY);
  struct definitions *opened = NULL;
  struct diag_list diags;
  diag_list_init(&diags, arena);
  enum status status =
      file ? open_file(bytes, &diags, &opened) : definitions_open_image(bytes, &diags, &opened);
  FUZZ_REQUIRE(status == STATUS_OK || diag_errors(&diags) > 0);
  FUZZ_REQUIRE(!same || status == STATUS_OK);
  if (status == STATUS_OK) {
    ask_all(opened, STR("http://example.org/fhir/ValueSet/animals"));
    FUZZ_REQUIRE(bytes.len == image.len);
    prefer(opened);
  }
  definitions_close(opened);
  arena_free(arena);
}

static void read_image(struct str changes, bool file) {
  char *copy = malloc(image.len);
  FUZZ_REQUIRE(copy);
  memcpy(copy, image.ptr, image.len);
  for (size_t at = 0; at + 4 <= changes.len; at += 4) {
    const unsigned char *change = (const unsigned char *)changes.ptr + at;
    size_t offset = change[0] | (size_t)change[1] << 8 | (size_t)change[2] << 16;
    copy[offset % image.len] = (char)change[3];
  }
  size_t len = changes.len % 4 ? image.len - (unsigned char)changes.ptr[changes.len - 1] : image.len;
  check_opened(str_make(copy, len), file, len == image.len && memcmp(copy, image.ptr, len) == 0);
  free(copy);
}

void fuzz_one(struct str input) {
  struct str rest = str_slice(input, 1, input.len);
  switch (input.len ? input.ptr[0] : '\0') {
  case '{':
    resources(input);
    break;
  case 't':
    read_tar(rest);
    break;
  case 'z':
    read_tgz(rest);
    break;
  case 'i':
  case 'f':
    read_image(rest, input.ptr[0] == 'f');
    break;
  }
}
