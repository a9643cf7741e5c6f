/*
 * reach.c - which maps of a folder the roots reach: what they import, what that imports, and maps whose ConceptMaps they name.
 *
 * Of every map the head has been read, which says its URL and what it imports. Those that are reached are read to the end, since
 * only then their imports are all known; the others are left out of the set, but for their names, which "did you mean" wants.
 */
#include "mapping/internal.h"

struct reach {
  struct mapping_set *set;
  struct mapping_map **queue; /* wanted, and not yet followed; each map once */
  size_t count, at;
};

static void want(struct reach *r, struct mapping_map *map) {
  if (!map || map->wanted) return;
  map->wanted = true;
  r->queue[r->count++] = map;
}

static void want_imported(struct reach *r, const struct mapping_map *map) {
  for (const struct ast_import *import = map->imports; import; import = import->next)
    for (size_t i = 0; i < r->set->map_count; i++)
      if (fml_import_matches(import->url.text, r->set->maps[i]->url)) want(r, r->set->maps[i]);
}

/* 'http://…/StructureMap/other#id' is a ConceptMap that another map contains. In a text that means something else no map has the name. */
static void want_named(struct reach *r, struct str text) {
  for (size_t hash = str_find_char(text, '#', 0); hash != SIZE_MAX; hash = str_find_char(text, '#', hash + 1)) {
    size_t from = hash;
    while (from > 0 && text.ptr[from - 1] != '\'' && text.ptr[from - 1] != '"' && text.ptr[from - 1] != '\n')
      from--;
    if (from < hash) want(r, map_get(&r->set->by_url, str_slice(text, from, hash)));
  }
}

/* From the start: what the head gave is made anew. */
static enum status read_whole(struct mapping_set *set, struct mapping_map *map, struct diag_list *diags) {
  if (map->whole) return STATUS_OK;
  map->uses = NULL;
  map->imports = NULL;
  map->constants = NULL;
  map->constant_count = 0;
  map->concept_maps = NULL;
  return fml_parse(set, map, diags);
}

static void keep_wanted(struct mapping_set *set) {
  size_t kept = 0;
  for (size_t i = 0; i < set->map_count; i++)
    if (set->maps[i]->wanted)
      set->maps[kept++] = set->maps[i];
    else
      set->maps[i]->whole = false;
  set->map_count = kept;
}

enum status fml_reach(struct mapping_set *set, const struct mapping_load *load, struct diag_list *diags) {
  struct reach r = {.set = set, .queue = ARENA_ARRAY(set->arena, struct mapping_map *, set->map_count + 1)};
  enum status status = r.queue ? STATUS_OK : STATUS_NOMEM;
  for (size_t i = 0; status == STATUS_OK && i < load->root_count; i++)
    want(&r, fml_find_named(set, load->roots[i]));
  for (; status == STATUS_OK && r.at < r.count; r.at++) {
    status = read_whole(set, r.queue[r.at], diags);
    want_imported(&r, r.queue[r.at]);
    want_named(&r, r.queue[r.at]->source.text);
  }
  if (status == STATUS_OK) keep_wanted(set);
  return status;
}
