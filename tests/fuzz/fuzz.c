/* fuzz.c - what the fuzz targets share: definitions, inputs of several files, a machine of memory. */
#include <stdio.h>
#include <stdlib.h>
#include "../unit/pack.h"
#include "fuzz.h"

_Noreturn void fuzz_finding(const char *file, int line, const char *what) {
  fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
  abort();
}

static _Noreturn void give_up(const char *what) {
  fprintf(stderr, "cannot begin: %s\n", what);
  exit(1);
}

struct arena *fuzz_arena(size_t cap) {
  struct arena *arena = arena_new(cap);
  if (!arena) give_up("no memory");
  return arena;
}

/* --- running a target */

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc, (void)argv;
  fuzz_begin();
  return 0;
}

static uint64_t hash(struct str text) {
  uint64_t value = UINT64_C(14695981039346656037);
  for (size_t i = 0; i < text.len; i++)
    value = (value ^ (unsigned char)text.ptr[i]) * UINT64_C(1099511628211);
  return value ^ value >> 32;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct str input = str_make((const char *)data, size);
  uint64_t chance = hash(input);
  fuzz_one(input);
  if (chance & 1) return 0;
  unsigned long scale = 1ul << (chance >> 8) % 11; /* early ones more often */
  (void)fuzz_one_failing(input, (struct fuzz_failure){1 + (chance >> 1) % 4, 1 + (chance >> 16) % scale});
  return 0;
}

/* --- memory that runs out: the linker hands arena_new and arena_free to these */

static struct {
  struct fuzz_failure at;
  unsigned long arenas; /* made */
  struct arena *failing;
  bool failed;
} memory;

struct arena *__real_arena_new(size_t cap);
void __real_arena_free(struct arena *arena);
struct arena *__wrap_arena_new(size_t cap);
void __wrap_arena_free(struct arena *arena);

struct arena *__wrap_arena_new(size_t cap) {
  struct arena *arena = __real_arena_new(cap);
  if (arena && memory.at.arena && ++memory.arenas == memory.at.arena) {
    memory.failing = arena;
    arena_fail_at(arena, memory.at.allocation);
  }
  return arena;
}

void __wrap_arena_free(struct arena *arena) {
  if (arena && arena == memory.failing) {
    memory.failed = arena->fail_at == 0;
    memory.failing = NULL;
  }
  __real_arena_free(arena);
}

enum fuzz_failed fuzz_one_failing(struct str input, struct fuzz_failure failure) {
  memory.arenas = 0;
  memory.failed = false;
  memory.at = failure;
  fuzz_one(input);
  memory.at = (struct fuzz_failure){0};
  if (memory.arenas < failure.arena) return FUZZ_NO_SUCH_ARENA;
  return memory.failed ? FUZZ_FAILED : FUZZ_NO_SUCH_ALLOCATION;
}

bool fuzz_memory_fails(void) {
  return memory.at.arena != 0;
}

/* --- definitions */

struct definitions *fuzz_pack(void) {
  struct definitions *definitions = pack_open();
  if (!definitions) exit(PACK_SKIPPED);
  return definitions;
}

struct definitions *fuzz_small_pack(struct str *image) {
  const char *packages[] = {SOURCE_DIR "/tests/unit/definitions/data/small"};
  struct definitions_build build = {.host = host_system(),
                                    .packages = packages,
                                    .package_count = 1,
                                    .models = SOURCE_DIR "/tests/unit/definitions/data/mappings/models"};
  struct arena *arena = fuzz_arena(64 << 20);
  struct definitions *definitions = NULL;
  struct diag_list diags;
  struct buf out;
  diag_list_init(&diags, arena);
  buf_init(&out, 1 << 26);
  if (definitions_build(&build, &diags, &out) != STATUS_OK ||
      definitions_open_image(buf_str(&out), &diags, &definitions) != STATUS_OK)
    give_up("the small package cannot be compiled");
  if (image) *image = buf_str(&out);
  if (!image) buf_release(&out);
  arena_free(arena);
  return definitions;
}

struct str fuzz_read(struct arena *arena, const char *path) {
  const struct host *host = host_system();
  struct str text = {0};
  if (host->read_file(host->context, path, LIMIT_TEXT_BYTES, arena, &text) != STATUS_OK) give_up(path);
  return text;
}

struct tree_node *fuzz_tree(const struct definitions *definitions, const char *path, struct arena *arena) {
  struct source *source = ARENA_NEW(arena, struct source);
  struct tree_node *root = NULL;
  struct diag_list diags;
  if (!source) give_up("no memory");
  diag_list_init(&diags, arena);
  *source = source_make(str_of(path), fuzz_read(arena, path));
  if (tree_read_json(source, NULL, arena, &diags, &root) != STATUS_OK) give_up(path);
  if (definitions && definitions_bind(definitions, NULL, root, source, arena, &diags) != STATUS_OK)
    give_up(path);
  return root;
}

/* --- inputs of several files */

/* The next `=== ` at the begin of a line, or the end. */
static size_t next_mark(struct str input, size_t from) {
  for (size_t at = from; (at = str_find(input, STR("=== "), at)) != SIZE_MAX; at++)
    if (at == 0 || input.ptr[at - 1] == '\n') return at;
  return input.len;
}

void fuzz_split(struct str input, const char *first, struct fuzz_files *out) {
  *out = (struct fuzz_files){0};
  size_t at = 0, end = next_mark(input, 0);
  for (;;) {
    struct fuzz_file *file = &out->items[out->count++];
    struct str name = str_of(first);
    if (out->count > 1) {
      size_t line = str_find_char(input, '\n', at);
      name = str_slice(input, at + 4, line);
      at = line == SIZE_MAX ? input.len : line + 1;
      end = out->count == FUZZ_FILES ? input.len : next_mark(input, at);
    }
    snprintf(file->name, sizeof file->name, "%.*s", STR_ARG(name));
    file->text = str_slice(input, at, end);
    at = end;
    if (at >= input.len || out->count == FUZZ_FILES) return;
  }
}

struct str fuzz_file(const struct fuzz_files *files, const char *name) {
  for (size_t i = 0; i < files->count; i++)
    if (strcmp(files->items[i].name, name) == 0) return files->items[i].text;
  return (struct str){0};
}

static enum status read_memory(void *context, const char *path, size_t max, struct arena *arena,
                               struct str *out) {
  const struct fuzz_files *files = context;
  for (size_t i = 0; i < files->count; i++) {
    if (strcmp(files->items[i].name, path) != 0) continue;
    if (files->items[i].text.len > max) return STATUS_LIMIT;
    *out = arena_str(arena, files->items[i].text);
    return out->ptr ? STATUS_OK : STATUS_NOMEM;
  }
  return STATUS_NOT_FOUND;
}

static int64_t still(void *context) {
  (void)context;
  return INT64_C(1767268800000); /* 2026-01-01T12:00:00Z */
}

static enum status counting(void *context, void *bytes, size_t count) {
  unsigned char *out = bytes;
  (void)context;
  for (size_t i = 0; i < count; i++)
    out[i] = (unsigned char)i;
  return STATUS_OK;
}

struct host fuzz_host(struct fuzz_files *files) {
  return (struct host){
      .context = files, .now_ms = still, .monotonic_ns = still, .random = counting, .read_file = read_memory};
}
