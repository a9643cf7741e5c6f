/* open.c - the open handle: maps a pack, checks it, keeps overlays above it, finds names in all layers. */
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

/* The list of named types: each layer's own, less those that a later layer names anew. */
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
      if (i + 1 == d->layer_count || !def_type_url(type).len ||
          definitions_type(d, def_type_url(type)) == type)
        types[d->type_count++] = type;
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

static enum status open_layer(struct def_layer layer, size_t size, const char *name, struct diag_list *diags,
                              struct definitions **out) {
  const char *why = "";
  if (size < sizeof(struct pack_header)) why = "it is too short";
  if (*why || !def_pack_check(layer.header, size, &why)) {
    diag_error(diags, DIAG_PACK_INVALID, NULL,
               "%s cannot be used: %s; build it again: ketlink definitions build", name, why);
    return STATUS_INVALID;
  }
  struct definitions *made = calloc(1, sizeof *made);
  if (!made) return STATUS_NOMEM;
  enum status status = add_layer(made, layer);
  if (status)
    free(made);
  else
    *out = made;
  return status;
}

/* --- public ---------------------------------------------------------------------------------- */

enum status definitions_open(const char *path, struct diag_list *diags, struct definitions **out) {
  struct str mapped = {0};
  *out = NULL;
  enum status status = map_private(path, &mapped);
  if (status) {
    diag_error(diags, DIAG_PACK_INVALID, NULL, "%s cannot be opened: %s; build it: ketlink definitions build",
               path, status_name(status));
    return status;
  }
  struct def_layer layer = {.header = (const void *)mapped.ptr, .mapped = mapped};
  status = open_layer(layer, mapped.len, path, diags, out);
  if (!status && !let_state_be_written(layer.header)) {
    definitions_close(*out);
    *out = NULL;
    return STATUS_IO;
  }
  if (status) unmap(mapped);
  return status;
}

/* The bytes are copied, for alignment and for the STATE bytes. */
enum status definitions_open_image(struct str image, struct diag_list *diags, struct definitions **out) {
  *out = NULL;
  void *copy = malloc(image.len ? image.len : 1);
  if (!copy) return STATUS_NOMEM;
  if (image.len) memcpy(copy, image.ptr, image.len);
  enum status status =
      open_layer((struct def_layer){.header = copy, .owned = copy}, image.len, "The image", diags, out);
  if (status) free(copy);
  return status;
}

void definitions_close(struct definitions *definitions) {
  if (!definitions) return;
  for (size_t i = 0; i < definitions->layer_count; i++) {
    unmap(definitions->layers[i].mapped);
    free(definitions->layers[i].owned);
  }
  free(definitions->types);
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

struct def_package definitions_package(const struct definitions *definitions, size_t index) {
  for (size_t i = 0; i < definitions->layer_count; i++) {
    const struct rel_list *list = &definitions->layers[i].header->packages;
    if (index < list->count) {
      const struct pack_package *package = (const struct pack_package *)rel_items(list) + index;
      return (struct def_package){rel_text(&package->id), rel_text(&package->version), package->structures,
                                  package->value_sets,    package->code_systems,       package->units};
    }
    index -= list->count;
  }
  return (struct def_package){0};
}

/* --- names ----------------------------------------------------------------------------------- */

const void *def_name_find(const struct rel_list *names, struct str key) {
  const struct pack_name *slots = rel_items(names);
  if (!slots || !key.len) return NULL;
  uint32_t hash = pack_hash(key), mask = names->count - 1;
  for (uint32_t at = hash & mask; slots[at].key.len; at = (at + 1) & mask)
    if (slots[at].hash == hash && str_eq(rel_text(&slots[at].key), key))
      return rel_add(&slots[at].target, slots[at].target);
  return NULL;
}

struct str def_canonical(struct str url) {
  return str_slice(url, 0, str_find_char(url, '|', 0));
}

const struct def_type *definitions_type(const struct definitions *definitions, struct str name_or_url) {
  name_or_url = def_canonical(name_or_url);
  for (size_t i = definitions->layer_count; i-- > 0;) {
    const void *found = def_name_find(&definitions->layers[i].header->type_names, name_or_url);
    if (found) return found;
  }
  return NULL;
}

size_t definitions_type_count(const struct definitions *definitions) {
  return definitions->type_count;
}

const struct def_type *definitions_type_at(const struct definitions *definitions, size_t index) {
  return index < definitions->type_count ? definitions->types[index] : NULL;
}

static struct str last_part(struct str url) {
  size_t at = url.len;
  while (at > 0 && url.ptr[at - 1] != '/')
    at--;
  return str_slice(url, at, url.len);
}

/* A model is named by its URL, whose end need not be its name: "session-record" of SessionRecord. */
struct str definitions_nearest_type(const struct definitions *definitions, struct str name) {
  struct str best = {0};
  unsigned least = 4;
  for (size_t i = 0; i < 2 * definitions->type_count; i++) {
    const struct def_type *type = definitions->types[i / 2];
    struct str known = i % 2 ? last_part(def_type_url(type)) : def_type_name(type);
    unsigned distance = str_distance(known, name, least);
    if (distance >= least || distance * 2 >= name.len) continue;
    least = distance;
    best = known;
  }
  return best;
}

uint32_t def_symbol_limit(const struct definitions *definitions) {
  const struct pack_header *top = definitions->layers[definitions->layer_count - 1].header;
  return top->first_symbol + top->symbols.count;
}

uint32_t definitions_symbol(const struct definitions *definitions, struct str name) {
  uint32_t hash = pack_hash(name);
  for (size_t i = 0; i < definitions->layer_count; i++) {
    const struct pack_header *header = definitions->layers[i].header;
    const uint32_t *slots = rel_items(&header->symbol_slots);
    const struct rel_str *names = rel_items(&header->symbols);
    if (!slots) continue;
    uint32_t mask = header->symbol_slots.count - 1;
    for (uint32_t at = hash & mask; slots[at]; at = (at + 1) & mask)
      if (str_eq(rel_text(&names[slots[at] - 1]), name)) return header->first_symbol + slots[at] - 1;
  }
  return 0;
}

struct str definitions_symbol_name(const struct definitions *definitions, uint32_t symbol) {
  for (size_t i = 0; i < definitions->layer_count; i++) {
    const struct pack_header *header = definitions->layers[i].header;
    if (symbol < header->first_symbol || symbol - header->first_symbol >= header->symbols.count) continue;
    return rel_text((const struct rel_str *)rel_items(&header->symbols) + (symbol - header->first_symbol));
  }
  return (struct str){0};
}

static bool layer_has_search(const struct pack_header *header, uint64_t hash) {
  const uint64_t *slots = rel_items(&header->searches);
  if (!slots) return false;
  size_t mask = header->searches.count - 1;
  for (size_t at = hash >> 8 & mask; slots[at]; at = (at + 1) & mask)
    if (slots[at] == hash) return true;
  return false;
}

bool definitions_has_search(const struct definitions *definitions, struct str type, struct str code) {
  const struct def_type *at = definitions_type(definitions, type);
  for (; at; at = def_type_base(at)) {
    uint64_t hash = pack_search_hash(def_type_name(at), code);
    for (size_t i = 0; i < definitions->layer_count; i++)
      if (layer_has_search(definitions->layers[i].header, hash)) return true;
  }
  return false;
}
