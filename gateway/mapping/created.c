/* created.c - which resources the maps of a set can make: read off the compiled rules, without any record. */
#include <stdlib.h>
#include "mapping/internal.h"

struct created {
  struct arena *arena;
  struct map known; /* names of the types so far */
  struct str *names;
  size_t count, room;
  bool nomem;
};

static void add_type(struct created *created, const struct def_type *type) {
  struct str name = def_type_name(type);
  if (created->nomem || map_get(&created->known, name)) return;
  if (created->count == created->room) {
    size_t room = created->room ? created->room * 2 : 32;
    struct str *names = ARENA_ARRAY(created->arena, struct str, room);
    if (names && created->count) memcpy(names, created->names, created->count * sizeof *names);
    created->names = names;
    created->room = room;
    created->nomem = !names;
    if (!names) return;
  }
  created->names[created->count++] = name;
  created->nomem = map_put(&created->known, name, (void *)(uintptr_t)type) != STATUS_OK;
}

static void add_rules(struct created *created, const struct prog_rules *rules) {
  for (size_t i = 0; i < rules->count; i++) {
    const struct prog_rule *rule = &rules->rules[i];
    for (size_t t = 0; t < rule->target_count; t++) {
      const struct prog_target *target = &rule->targets[t];
      if (target->op == PROG_CREATE && target->type && def_type_kind(target->type) == DEF_RESOURCE)
        add_type(created, target->type);
    }
    add_rules(created, &rule->rules);
  }
}

static int compare_names(const void *a, const void *b) {
  return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

enum status mapping_created_types(const struct mapping_set *set, struct arena *arena, struct str **names,
                                  size_t *count) {
  struct created created = {.arena = arena};
  map_init(&created.known, arena);
  for (const struct prog_group *group = set->instances; group; group = group->next)
    add_rules(&created, &group->rules);
  if (created.count) qsort(created.names, created.count, sizeof *created.names, compare_names);
  *names = created.names;
  *count = created.count;
  return created.nomem ? STATUS_NOMEM : STATUS_OK;
}
