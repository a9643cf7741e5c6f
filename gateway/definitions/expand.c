/*
 * expand.c - value sets -> their codes, as far as the code systems are present.
 *
 * A set becomes a list of what it takes from each system: all codes ("whole"), listed codes, or an unknown
 * rest. "Unknown" is kept apart from "none": a code of SNOMED CT that nobody can check is not an error.
 */
#include "definitions/build.h"

enum { IMPORT_DEPTH = 32 };

/* --- look-up --------------------------------------------------------------------------------- */

/* The builder's own copy of what stands below: one each. */
static void *thawed(struct builder *b, const void *frozen, size_t size, bool *is_new) {
  void *known = map_get(&b->thawed, str_make((const char *)&frozen, sizeof frozen));
  *is_new = !known;
  if (known) return known;
  struct str key = arena_str(b->arena, str_make((const char *)&frozen, sizeof frozen));
  known = def_builder_alloc(b, 1, size);
  if (!known || !key.ptr || map_put(&b->thawed, key, known)) b->error = STATUS_NOMEM;
  return b->error ? NULL : known;
}

struct b_system *def_builder_system(struct builder *b, struct str url) {
  const void *frozen;
  bool is_new;
  struct b_system *system = def_look_up(b, DEF_SYSTEMS, url, &frozen);
  if (system || !frozen) return system;
  system = thawed(b, frozen, sizeof *system, &is_new);
  if (!system || !is_new) return system;
  *system = (struct b_system){.url = def_code_system_url(frozen), .frozen = frozen, .replaced = true};
  system->complete = def_code_system_complete(frozen);
  system->folds_case = def_code_system_folds_case(frozen);
  return system;
}

struct b_set *def_builder_set(struct builder *b, struct str url) {
  const void *frozen;
  bool is_new;
  struct b_set *set = def_look_up(b, DEF_SETS, url, &frozen);
  if (set || !frozen) return set;
  set = thawed(b, frozen, sizeof *set, &is_new);
  if (set && is_new)
    *set = (struct b_set){.url = def_value_set_url(frozen), .frozen = frozen, .replaced = true};
  return set;
}

/* --- lists of members ------------------------------------------------------------------------ */

static struct b_members *find_members(struct b_members *list, struct str url) {
  for (; list; list = list->next)
    if (str_eq(list->url, url)) return list;
  return NULL;
}

static struct b_members *members_of(struct builder *b, struct b_members **list, struct str url) {
  struct b_members *known = find_members(*list, url);
  if (known) return known;
  known = def_builder_alloc(b, 1, sizeof *known);
  if (!known) return NULL;
  known->url = url;
  known->system = url.len ? def_builder_system(b, url) : NULL;
  map_init(&known->index, b->arena);
  known->next = *list;
  *list = known;
  return known;
}

static void add_code(struct builder *b, struct b_members *members, struct b_code code) {
  uintptr_t at = (uintptr_t)map_get(&members->index, code.code);
  if (at) {
    struct b_code *known = &members->codes[at - 1];
    if (!known->code.len || !known->display.len) *known = code; /* was removed, or had no display */
    return;
  }
  if (members->count == members->room) {
    size_t room = members->room ? members->room * 2 : 8;
    struct b_code *codes = def_builder_alloc(b, room, sizeof *codes);
    if (!codes) return;
    if (members->count) memcpy(codes, members->codes, members->count * sizeof *codes);
    members->codes = codes;
    members->room = room;
  }
  members->codes[members->count++] = code;
  if (map_put(&members->index, code.code, (void *)(uintptr_t)members->count)) b->error = STATUS_NOMEM;
}

static struct b_code *find_code(const struct b_members *members, struct str code) {
  uintptr_t at = (uintptr_t)map_get(&members->index, code);
  return at && members->codes[at - 1].code.len ? &members->codes[at - 1] : NULL;
}

/* All codes of a system that is present. */
static void add_all(struct builder *b, struct b_members *members) {
  const struct b_system *system = members->system;
  for (size_t i = 0; system && !system->frozen && i < system->count; i++)
    add_code(b, members, system->concepts[i].self);
  if (!system || !system->frozen) return;
  for (size_t i = 0; i < def_code_system_size(system->frozen); i++) {
    struct b_code code;
    if (def_code_system_at(system->frozen, i, &code.code, &code.display)) add_code(b, members, code);
  }
}

static bool system_has(const struct b_system *system, struct str code, struct str *display) {
  if (!system) return false;
  if (system->frozen) return def_code_system_has(system->frozen, code, display);
  uintptr_t at = (uintptr_t)map_get(&system->index, code);
  if (at) *display = system->concepts[at - 1].self.display;
  return at != 0;
}

static void add_list(struct builder *b, struct b_members **to, const struct b_members *from) {
  for (; from && !b->error; from = from->next) {
    struct b_members *mine = members_of(b, to, from->url);
    if (!mine) return;
    mine->whole |= from->whole;
    mine->unknown |= from->unknown;
    for (size_t i = 0; i < from->count; i++)
      if (from->codes[i].code.len) add_code(b, mine, from->codes[i]);
  }
}

/* What of one system is in both. */
static void keep_common(struct builder *b, struct b_members *mine, struct b_members *other) {
  if (other->whole && !other->unknown) return;
  if (mine->whole) {
    if (mine->system && mine->system->complete) {
      add_all(b, mine);
      mine->whole = false;
    } else { /* the other's codes are ours; what it does not know we do not know */
      for (size_t i = 0; i < other->count; i++)
        if (other->codes[i].code.len) add_code(b, mine, other->codes[i]);
      mine->whole = false;
      mine->unknown = other->unknown || other->whole;
      return;
    }
  }
  bool unknown = other->unknown;
  for (size_t i = 0; i < mine->count; i++) {
    struct str display;
    bool in_whole = other->whole && system_has(other->system, mine->codes[i].code, &display);
    if (!in_whole && !find_code(other, mine->codes[i].code)) mine->codes[i].code = (struct str){0};
  }
  mine->unknown |= unknown;
}

static void intersect(struct builder *b, struct b_members **list, struct b_members *with) {
  bool anything = find_members(with, (struct str){0}) != NULL;
  for (struct b_members **at = list; *at;) {
    struct b_members *other = find_members(with, (*at)->url);
    if (other) {
      keep_common(b, *at, other);
    } else if (anything) {
      (*at)->count = 0;
      (*at)->whole = false;
      (*at)->unknown = true;
      map_init(&(*at)->index, b->arena);
    } else {
      *at = (*at)->next;
      continue;
    }
    at = &(*at)->next;
  }
}

/* Any of its codes may be taken away: nobody knows. */
static void doubt(struct b_members *mine) {
  for (size_t i = 0; i < mine->count; i++)
    mine->codes[i].code = (struct str){0};
  mine->whole = false;
  mine->unknown = true;
}

static void subtract(struct builder *b, struct b_members *list, const struct b_members *without) {
  for (; without; without = without->next) {
    for (struct b_members *mine = list; mine && without->unknown && !without->url.len; mine = mine->next)
      doubt(mine);
    struct b_members *mine = find_members(list, without->url);
    if (!mine) continue;
    if (without->whole && !without->unknown) {
      for (size_t i = 0; i < mine->count; i++)
        mine->codes[i].code = (struct str){0};
      mine->whole = mine->unknown = false;
      continue;
    }
    if (mine->whole && mine->system && mine->system->complete) {
      add_all(b, mine);
      mine->whole = false;
    }
    for (size_t i = 0; i < without->count; i++) {
      struct b_code *code = without->codes[i].code.len ? find_code(mine, without->codes[i].code) : NULL;
      if (code) code->code = (struct str){0};
    }
    if (without->unknown) doubt(mine);
  }
}

/* --- filters --------------------------------------------------------------------------------- */

static void add_filtered(struct builder *b, struct b_members *members, const struct b_include *include) {
  struct b_system *system = members->system;
  if (system && system->frozen) def_thaw_concepts(b, system);
  unsigned char *keep = system && system->count ? def_builder_alloc(b, system->count, 1) : NULL;
  bool answered = keep != NULL;
  if (keep) memset(keep, 1, system->count);
  for (size_t i = 0; i < include->filter_count && answered; i++)
    answered = def_filter(b, system, &include->filters[i], keep);
  if (!answered) {
    members->unknown = true;
    return;
  }
  for (size_t i = 0; i < system->count; i++)
    if (keep[i]) add_code(b, members, system->concepts[i].self);
  if (!system->complete) members->unknown = true;
}

/* --- includes -------------------------------------------------------------------------------- */

static void expand_set(struct builder *b, struct b_set *set, unsigned depth);

static struct b_members *unknown_set(struct builder *b) {
  struct b_members *list = NULL, *any = members_of(b, &list, (struct str){0});
  if (any) any->unknown = true;
  return list;
}

static struct b_members *imported(struct builder *b, struct str url, unsigned depth) {
  struct b_set *set = def_builder_set(b, url);
  if (!set || depth > IMPORT_DEPTH) return unknown_set(b);
  expand_set(b, set, depth + 1);
  return set->progress == B_DONE ? set->members : unknown_set(b);
}

/* The system of the package itself is meant, whatever version its value sets were once written for. */
static bool is_version(const struct builder *b, const struct b_system *system, struct str version) {
  if (!system) return false;
  if (b->from && system->package == b->from) return true;
  return str_eq(system->frozen ? def_code_system_version(system->frozen) : system->version, version);
}

static void add_system(struct builder *b, struct b_members **list, const struct b_include *include) {
  struct b_members *members = members_of(b, list, include->system);
  if (!members) return;
  if (include->filter_count) {
    add_filtered(b, members, include);
  } else if (include->lists_codes) {
    for (size_t i = 0; i < include->code_count; i++) {
      struct b_code code = include->codes[i];
      if (!code.display.len) (void)system_has(members->system, code.code, &code.display);
      add_code(b, members, code);
    }
  } else {
    members->whole = true;
  }
  /* another version than the one that is here may have other codes */
  if (include->version.len && !include->lists_codes && !is_version(b, members->system, include->version))
    members->unknown = true;
}

static struct b_members *expand_include(struct builder *b, const struct b_include *include, unsigned depth) {
  struct b_members *list = NULL;
  bool begun = include->system.len != 0;
  if (begun) add_system(b, &list, include);
  for (size_t i = 0; i < include->sets.count && !b->error; i++) {
    struct b_members *other = imported(b, include->sets.items[i], depth);
    if (begun)
      intersect(b, &list, other);
    else
      add_list(b, &list, other);
    begun = true;
  }
  return list;
}

/* The members of a set of the pack below. */
static void thaw_members(struct builder *b, struct b_set *set) {
  for (size_t i = 0; i < def_value_set_system_count(set->frozen); i++) {
    struct def_set_system from = def_value_set_system(set->frozen, i);
    struct b_members *mine = members_of(b, &set->members, from.url);
    if (!mine) return;
    mine->whole |= from.whole;
    mine->unknown |= from.unknown;
    for (size_t k = 0; k < from.codes; k++) {
      struct b_code code = {0};
      if (def_value_set_code(set->frozen, i, k, &code.code, &code.display)) add_code(b, mine, code);
    }
  }
}

static bool is_known(const struct b_members *list) {
  for (const struct b_members *at = list; at; at = at->next)
    if (at->unknown || (at->whole && !(at->system && at->system->complete))) return false;
  return list != NULL;
}

/* What the rules give; where they cannot be followed to the end, the expansion that came with the set, if
   that is all of it. A part of one adds to what is known. */
static void compose(struct builder *b, struct b_set *set, unsigned depth) {
  for (const struct b_include *at = set->includes; at && !b->error; at = at->next)
    add_list(b, &set->members, expand_include(b, at, depth));
  for (const struct b_include *at = set->excludes; at && !b->error; at = at->next)
    subtract(b, set->members, expand_include(b, at, depth));
  if (!set->expansion || is_known(set->members)) return;
  if (set->expansion_is_whole) set->members = NULL;
  for (const struct b_include *at = set->expansion; at && !b->error; at = at->next)
    add_list(b, &set->members, expand_include(b, at, depth));
}

static void expand_set(struct builder *b, struct b_set *set, unsigned depth) {
  if (set->progress != B_RAW || b->error) return;
  const struct b_package *outer = b->from;
  set->progress = B_RUNNING;
  b->from = set->package;
  if (set->frozen) thaw_members(b, set);
  compose(b, set, depth);
  b->from = outer;
  set->progress = B_DONE;
}

void def_expand(struct builder *b) {
  for (struct b_set *set = b->first_set; set && !b->error; set = set->next)
    if (!set->replaced) expand_set(b, set, 0);
}
