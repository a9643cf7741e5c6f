/* open.c - the open handle: maps a pack, checks it, keeps overlays above it; what it was made of. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "definitions/internal.h"

/* --- files ----------------------------------------------------------------------------------- */

/* A private mapping: the pages of STATE become our own when they are written. */
static enum status map_private(const char *path, struct str *out) {
  enum status status = STATUS_OK;
  struct stat info;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0)
    return errno == ENOENT || errno == ENOTDIR ? STATUS_NOT_FOUND
           : errno == EACCES                   ? STATUS_DENIED
                                               : STATUS_IO;
  if (fstat(fd, &info) || !S_ISREG(info.st_mode)) {
    status = STATUS_IO;
  } else if (info.st_size == 0) {
    *out = (struct str){0};
  } else {
    void *bytes = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED)
      status = STATUS_IO;
    else
      *out = str_make(bytes, (size_t)info.st_size);
  }
  close(fd);
  return status;
}

static void unmap(struct str mapped) {
  if (mapped.len) munmap((void *)(uintptr_t)mapped.ptr, mapped.len);
}

static bool let_state_be_written(const struct pack_header *header) {
  const struct pack_section *state = &header->parts[PART_STATE];
  if (!state->size) return true;
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = (uintptr_t)header + state->offset;
  uintptr_t start = from / page * page;
  return mprotect((void *)start, from + state->size - start, PROT_READ | PROT_WRITE) == 0;
}

/* --- layers ---------------------------------------------------------------------------------- */

static const struct def_type *type_at(const struct pack_header *header, size_t index) {
  const int32_t *links = rel_items(&header->types);
  return rel_add(&links[index], links[index]);
}

/* Found by its URL, or by its URL and version beside a later version of the same package. */
static bool is_current(const struct definitions *d, const struct def_type *type) {
  struct def_package mine, other;
  const struct def_type *now = def_type_url(type).len ? def_find(d, DEF_TYPES, def_type_url(type)) : type;
  if (now == type || !now) return now == type;
  return def_origin(d, DEF_TYPES, type, &mine) && def_origin(d, DEF_TYPES, now, &other) &&
         str_eq(mine.id, other.id) && !str_eq(mine.version, other.version);
}

/* The list of named types: each layer's own, less those that a later layer replaces. */
static enum status list_types(struct definitions *d) {
  size_t total = 0;
  for (size_t i = 0; i < d->layer_count; i++)
    total += d->layers[i].header->types.count;
  const struct def_type **types = calloc(total + 1, sizeof(void *));
  if (!types) return STATUS_NOMEM;
  free(d->types);
  d->types = types;
  d->type_count = 0;
  for (size_t i = 0; i < d->layer_count; i++)
    for (size_t n = 0; n < d->layers[i].header->types.count; n++) {
      const struct def_type *type = type_at(d->layers[i].header, n);
      if (i + 1 == d->layer_count || is_current(d, type)) types[d->type_count++] = type;
    }
  return STATUS_OK;
}

static enum status add_layer(struct definitions *d, struct def_layer layer) {
  if (d->layer_count == LAYERS_MAX) return STATUS_LIMIT;
  d->layers[d->layer_count++] = layer;
  enum status status = list_types(d);
  if (status)
    d->layer_count--;
  else
    d->resource = definitions_type(d, STR("Resource"));
  return status;
}

enum status def_layer_add(struct definitions *definitions, void *memory, size_t size) {
  (void)size;
  return add_layer(definitions, (struct def_layer){.header = memory, .owned = memory});
}

static enum status refuse(const char *name, const char *why, struct diag_list *diags) {
  diag_error(diags, DIAG_PACK_INVALID, NULL,
             "%s cannot be used: %s; build it again: ketlink definitions build", name, why);
  return STATUS_INVALID;
}

/* All images of a file; each begins a page. The list of types is made once, by the last. */
static enum status add_images(struct definitions *made, struct str bytes, const char *name,
                              struct diag_list *diags) {
  for (size_t at = 0; at < bytes.len;) {
    const struct pack_header *header = (const void *)(bytes.ptr + at);
    const char *why = "it is too short";
    if (bytes.len - at < sizeof *header || !def_pack_check(header, bytes.len - at, &why))
      return refuse(name, why, diags);
    if (made->layer_count == LAYERS_MAX)
      return refuse(name, "too many packages were added one by one", diags);
    made->layers[made->layer_count++].header = header;
    size_t pages = (header->size + PACK_PAGE - 1) / PACK_PAGE * PACK_PAGE;
    if (header->size != bytes.len - at && pages >= bytes.len - at)
      return refuse(name, "its size is not what its header says", diags);
    at = header->size == bytes.len - at ? bytes.len : at + pages;
  }
  if (!made->layer_count) return refuse(name, "it is empty", diags);
  made->resource = definitions_type(made, STR("Resource"));
  return list_types(made);
}

static enum status open_bytes(struct str bytes, const char *name, struct diag_list *diags,
                              struct definitions **out) {
  struct definitions *made = calloc(1, sizeof *made);
  if (!made) return STATUS_NOMEM;
  enum status status = add_images(made, bytes, name, diags);
  if (status) {
    free(made->types);
    free(made);
  } else {
    *out = made;
  }
  return status;
}

static bool let_states_be_written(const struct definitions *definitions) {
  for (size_t i = 0; i < definitions->layer_count; i++)
    if (!let_state_be_written(definitions->layers[i].header)) return false;
  return true;
}

/* --- public ---------------------------------------------------------------------------------- */

enum status definitions_open(const char *path, struct diag_list *diags, struct definitions **out) {
  struct str mapped = {0};
  *out = NULL;
  enum status status = map_private(path, &mapped);
  if (status) {
    diag_error(diags, DIAG_PACK_INVALID, NULL, "%s cannot be opened: %s; build it: ketlink definitions build",
               path, status == STATUS_IO ? "it is no file, or cannot be read" : status_reason(status));
    return status;
  }
  status = open_bytes(mapped, path, diags, out);
  if (status) {
    unmap(mapped);
    return status;
  }
  (*out)->layers[0].mapped = mapped;
  if (let_states_be_written(*out)) return STATUS_OK;
  definitions_close(*out);
  *out = NULL;
  return STATUS_IO;
}

/* The bytes are copied, for alignment and for the STATE bytes. */
enum status definitions_open_image(struct str image, struct diag_list *diags, struct definitions **out) {
  *out = NULL;
  void *copy = malloc(image.len ? image.len : 1);
  if (!copy) return STATUS_NOMEM;
  if (image.len) memcpy(copy, image.ptr, image.len);
  enum status status = open_bytes(str_make(copy, image.len), "The image", diags, out);
  if (status)
    free(copy);
  else
    (*out)->layers[0].owned = copy;
  return status;
}

void definitions_close(struct definitions *definitions) {
  if (!definitions) return;
  for (size_t i = 0; i < definitions->layer_count; i++) {
    unmap(definitions->layers[i].mapped);
    free(definitions->layers[i].owned);
  }
  free(definitions->types);
  arena_free(definitions->arena);
  free(definitions);
}

bool definitions_verify(const struct definitions *definitions) {
  for (size_t i = 0; i < definitions->layer_count; i++)
    if (!def_pack_check_all(definitions->layers[i].header)) return false;
  return true;
}

size_t definitions_package_count(const struct definitions *definitions) {
  size_t count = 0;
  for (size_t i = 0; i < definitions->layer_count; i++)
    count += definitions->layers[i].header->packages.count;
  return count;
}

static const struct pack_package *package_at(const struct definitions *definitions, size_t index) {
  for (size_t i = 0; i < definitions->layer_count; i++) {
    const struct rel_list *list = &definitions->layers[i].header->packages;
    if (index < list->count) return (const struct pack_package *)rel_items(list) + index;
    index -= list->count;
  }
  return NULL;
}

size_t def_package_layer(const struct definitions *definitions, size_t index) {
  size_t layer = 0;
  for (; layer < definitions->layer_count && index >= definitions->layers[layer].header->packages.count; layer++)
    index -= definitions->layers[layer].header->packages.count;
  return layer;
}

struct def_package def_package_tell(const struct pack_package *package) {
  return (struct def_package){rel_text(&package->id), rel_text(&package->version), package->structures,
                              package->value_sets,    package->code_systems,       package->units};
}

struct def_package definitions_package(const struct definitions *definitions, size_t index) {
  const struct pack_package *package = package_at(definitions, index);
  return package ? def_package_tell(package) : (struct def_package){0};
}

size_t definitions_need_count(const struct definitions *definitions, size_t package) {
  const struct pack_package *at = package_at(definitions, package);
  return at ? at->needs.count : 0;
}

/* The version itself where it is there, else the one that was read last. */
static struct str present_version(const struct definitions *definitions, struct str id, struct str version) {
  struct str found = {0};
  for (size_t i = definitions_package_count(definitions); i-- > 0;) {
    struct def_package package = definitions_package(definitions, i);
    if (!str_eq(package.id, id)) continue;
    if (!found.len || str_eq(package.version, version)) found = package.version;
  }
  return found;
}

/* Whatever package R4 itself came in. */
static struct str core_version(const struct definitions *definitions) {
  const struct def_type *patient =
      definitions_type(definitions, STR("http://hl7.org/fhir/StructureDefinition/Patient"));
  return patient ? def_type_version(patient) : (struct str){0};
}

struct def_need definitions_need(const struct definitions *definitions, size_t package, size_t index) {
  const struct pack_package *at = package_at(definitions, package);
  if (!at || index >= at->needs.count) return (struct def_need){0};
  const struct pack_need *need = (const struct pack_need *)rel_items(&at->needs) + index;
  struct def_need told = {.id = rel_text(&need->id), .version = rel_text(&need->version)};
  told.present = present_version(definitions, told.id, told.version);
  if (!told.present.len && str_is(told.id, "hl7.fhir.r4.core")) told.present = core_version(definitions);
  return told;
}

enum status definitions_prefer(struct definitions *definitions, struct str id, struct str version) {
  if (!str_eq(present_version(definitions, id, version), version)) return STATUS_NOT_FOUND;
  if (!definitions->arena) definitions->arena = arena_new(1 << 20);
  if (!definitions->arena) return STATUS_NOMEM;
  struct def_preference made = {arena_str(definitions->arena, id), arena_str(definitions->arena, version)};
  if (!made.id.ptr || !made.version.ptr) return STATUS_NOMEM;
  size_t at = 0;
  while (at < definitions->preference_count && !str_eq(definitions->preferences[at].id, id))
    at++;
  if (at == PREFERENCES_MAX) return STATUS_LIMIT;
  if (at == definitions->preference_count) definitions->preference_count++;
  definitions->preferences[at] = made;
  return STATUS_OK;
}
