/*
 * doctor_match.c - does a destination file fit what the server says of itself?
 *
 * Only what the clinic's maps make is asked about: a type that a preset names and no map makes does no harm.
 * Statements are often silent about search parameters, so those only warn; an interaction that a statement
 * does not name is one that the server need not know.
 */
#include "cli/doctor.h"

enum { TYPES_SHOWN = 6, WANT_CREATE = 1, WANT_UPDATE = 2, WANT_READ = 4 };

struct matching {
  const struct cli_doctor_match *match;
  struct cli_doctor_line *line;
};

static void say(const struct matching *m, enum cli_doctor_mark mark, const char *fix, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void say(const struct matching *m, enum cli_doctor_mark mark, const char *fix, const char *format,
                ...) {
  va_list args;
  va_start(args, format);
  m->line->mark = mark;
  m->line->detail = arena_vprintf(m->match->arena, format, args);
  va_end(args);
  m->line->fix = fix ? str_of(fix) : (struct str){0};
  m->line->status = mark == DOCTOR_FAILED ? STATUS_CONFIG : STATUS_OK;
}

/* --- what the destination file wants --- */

static unsigned words_of(const json_t *list) {
  unsigned wanted = 0;
  size_t index;
  const json_t *word;
  json_array_foreach(list, index, word) {
    const char *text = json_string_value(word);
    if (text && strcmp(text, "create") == 0) wanted |= WANT_CREATE;
    if (text && strcmp(text, "update") == 0) wanted |= WANT_UPDATE;
    if (text && strcmp(text, "read") == 0) wanted |= WANT_READ;
  }
  return wanted;
}

static bool has_word(const json_t *list, struct str wanted) {
  size_t index;
  const json_t *word;
  json_array_foreach(list, index, word) {
    if (json_is_string(word) && str_is(wanted, json_string_value(word))) return true;
  }
  return false;
}

/* Without the key everything, a list means create and update. */
static unsigned wanted_of(const struct matching *m, struct str type) {
  const json_t *resources = json_object_get(m->match->destination, "resources");
  if (!resources) return WANT_CREATE | WANT_UPDATE;
  if (json_is_array(resources)) return has_word(resources, type) ? WANT_CREATE | WANT_UPDATE : 0;
  return words_of(json_object_getn(resources, type.ptr, type.len));
}

static bool key_is(const struct matching *m, const char *key, const char *word) {
  return str_is(config_string(m->match->destination, key), word);
}

static bool looks_first(const struct matching *m) {
  return key_is(m, "idempotency", "search-first") ||
         config_boolean(m->match->destination, "lookFirst", false);
}

/* --- lists of types --- */

typedef bool (*type_test)(const struct matching *m, struct str type, unsigned wanted, unsigned can);

static unsigned can_of(const struct matching *m, struct str type) {
  const struct delivery_type *known = delivery_capability_type(m->match->capability, type);
  return known ? known->can : 0;
}

/* The clinic's types for which the test holds: "A, B, C and 4 more"; empty if there are none. */
static struct str list_types(const struct matching *m, type_test test, size_t *count) {
  struct buf text;
  *count = 0;
  buf_init(&text, LIMIT_EXPRESSION_BYTES);
  for (size_t i = 0; i < m->match->type_count; i++) {
    struct str type = m->match->types[i];
    if (!test(m, type, wanted_of(m, type), can_of(m, type))) continue;
    if ((*count)++ < TYPES_SHOWN) buf_printf(&text, "%s%.*s", *count > 1 ? ", " : "", STR_ARG(type));
  }
  if (*count > TYPES_SHOWN) buf_printf(&text, " and %zu more", *count - TYPES_SHOWN);
  struct str list = buf_take_str(&text, m->match->arena);
  buf_release(&text);
  return list;
}

static bool is_sent(const struct matching *m, struct str type, unsigned wanted, unsigned can) {
  (void)m, (void)type, (void)can;
  return wanted & WANT_CREATE;
}

static bool is_corrected(const struct matching *m, struct str type, unsigned wanted, unsigned can) {
  (void)m, (void)type, (void)can;
  return wanted & WANT_UPDATE;
}

static bool cannot_create(const struct matching *m, struct str type, unsigned wanted, unsigned can) {
  (void)m, (void)type;
  return (wanted & WANT_CREATE) && !(can & DELIVERY_CAN_CREATE);
}

static bool cannot_update(const struct matching *m, struct str type, unsigned wanted, unsigned can) {
  (void)m, (void)type;
  return (wanted & WANT_UPDATE) && !(can & DELIVERY_CAN_UPDATE);
}

static bool cannot_search(const struct matching *m, struct str type, unsigned wanted, unsigned can) {
  bool searched = wanted & WANT_READ || (wanted && looks_first(m));
  (void)type;
  return searched && !(can & DELIVERY_CAN_SEARCH);
}

static bool not_searched_by(const struct matching *m, struct str type, unsigned wanted, unsigned can) {
  const struct delivery_type *known = delivery_capability_type(m->match->capability, type);
  (void)can;
  return wanted && known && !delivery_type_searched_by(known, "identifier") &&
         !delivery_type_searched_by(known, "_tag");
}

static bool cannot_read(const struct matching *m, struct str type, unsigned wanted, unsigned can) {
  (void)m, (void)type;
  return wanted && !(can & DELIVERY_CAN_READ);
}

static bool no_condition(const struct matching *m, struct str type, unsigned wanted, unsigned can) {
  unsigned bit =
      key_is(m, "idempotency", "conditional-create") ? DELIVERY_CAN_CREATE_IF : DELIVERY_CAN_UPDATE_IF;
  (void)type;
  return (wanted & WANT_CREATE) && !(can & bit);
}

static bool is_left_out(const struct matching *m, struct str type, unsigned wanted, unsigned can) {
  (void)m, (void)type, (void)can;
  return !(wanted & WANT_CREATE);
}

static bool is_welcome(const struct matching *m, struct str type, unsigned wanted, unsigned can) {
  (void)m, (void)type;
  return !(wanted & WANT_CREATE) && can & DELIVERY_CAN_CREATE;
}

/* --- the lines --- */

static void match_version(const struct matching *m) {
  struct str version = m->match->capability->fhir_version;
  if (str_starts(version, STR("4.0.")) || str_is(version, "4.0"))
    say(m, DOCTOR_OK, NULL, "%.*s", STR_ARG(version));
  else
    say(m, DOCTOR_FAILED, "give the base of the server's R4 service",
        "the server speaks FHIR %.*s; ketlink sends R4 (4.0.1)",
        STR_ARG(version.len ? version : STR("of no version")));
}

static void match_software(const struct matching *m) {
  const struct delivery_capability *c = m->match->capability;
  if (c->software.len)
    say(m, DOCTOR_OK, NULL, "%.*s%s%.*s, %zu resource types", STR_ARG(c->software),
        c->software_version.len ? " " : "", STR_ARG(c->software_version), c->type_count);
  else
    say(m, DOCTOR_OK, NULL, "not named, %zu resource types", c->type_count);
}

static void match_format(const struct matching *m) {
  if (m->match->capability->json)
    say(m, DOCTOR_OK, NULL, "JSON");
  else
    say(m, DOCTOR_FAILED, "ask the maker for a JSON service",
        "the server does not name JSON among its formats");
}

static void match_submit(const struct matching *m) {
  const struct delivery_capability *c = m->match->capability;
  struct str submit = config_string(m->match->destination, "submit");
  bool fits = str_is(submit, "transaction") ? c->transaction : str_is(submit, "batch") ? c->batch : true;
  if (fits)
    say(m, DOCTOR_OK, NULL, "%.*s", STR_ARG(submit));
  else
    say(m, DOCTOR_FAILED, c->batch ? "set submit to batch or single" : "set submit to single",
        "submit is %.*s; the server names no %.*s", STR_ARG(submit), STR_ARG(submit));
}

static void match_idempotency(const struct matching *m) {
  struct str word = config_string(m->match->destination, "idempotency");
  size_t count = 0;
  if (str_is(word, "search-first")) {
    say(m, DOCTOR_OK, NULL, "search-first: no conditions are asked of the server");
    return;
  }
  struct str list = list_types(m, no_condition, &count);
  if (count == 0)
    say(m, DOCTOR_OK, NULL, "%.*s", STR_ARG(word));
  else
    say(m, DOCTOR_FAILED, "set idempotency to search-first", "the server names no %.*s for %.*s",
        STR_ARG(word), STR_ARG(list));
}

/* Types that the destination file counts on and the statement does not have. */
static void match_types(const struct matching *m, type_test asked, type_test missing, const char *what,
                        enum cli_doctor_mark mark, const char *fix) {
  size_t all = 0, count = 0;
  struct str list = list_types(m, missing, &count);
  (void)list_types(m, asked, &all);
  if (count)
    say(m, mark, fix, "the server names no %s for %.*s", what, STR_ARG(list));
  else
    say(m, DOCTOR_OK, NULL, "%s of %zu types that the maps make", what, all);
}

static void match_create(const struct matching *m) {
  match_types(m, is_sent, cannot_create, "create", DOCTOR_FAILED,
              "take create from these types in resources; with a sessionNote they travel in the page");
}

static void match_update(const struct matching *m) {
  match_types(m, is_corrected, cannot_update, "update", DOCTOR_FAILED,
              "take update from these types in resources: corrections will be reported, not sent");
}

static void match_search(const struct matching *m) {
  size_t count = 0;
  struct str list = list_types(m, cannot_search, &count);
  if (count) {
    say(m, DOCTOR_FAILED, "what is there cannot be found: take these types from resources",
        "the server names no search for %.*s", STR_ARG(list));
    return;
  }
  list = list_types(m, not_searched_by, &count);
  if (count)
    say(m, DOCTOR_WARNING, "try it: send a synthetic record twice",
        "the server names no search by identifier or _tag for %.*s", STR_ARG(list));
  else
    say(m, DOCTOR_OK, NULL,
        looks_first(m) ? "by identifier or _tag, before anything is sent" : "by identifier or _tag");
}

static void match_read_back(const struct matching *m) {
  size_t count = 0;
  if (!config_boolean(m->match->destination, "readBack", false)) {
    say(m, DOCTOR_OK, NULL, "not asked for");
    return;
  }
  struct str list = list_types(m, cannot_read, &count);
  if (count)
    say(m, DOCTOR_FAILED, "set readBack to false, or take these types from resources",
        "the server names no read for %.*s", STR_ARG(list));
  else
    say(m, DOCTOR_OK, NULL, "each resource is read and compared");
}

static void match_left_out(const struct matching *m) {
  size_t count = 0, more = 0;
  struct str list = list_types(m, is_left_out, &count);
  struct str welcome = list_types(m, is_welcome, &more);
  struct str note = config_string(m->match->destination, "sessionNote");
  bool in_note = note.len && !str_is(note, "never");
  if (in_note && !(wanted_of(m, STR("DocumentReference")) & WANT_CREATE))
    say(m, DOCTOR_FAILED, "add create of DocumentReference to resources, or set sessionNote to never",
        "the session note is a DocumentReference, and the destination does not take one");
  else if (count == 0)
    say(m, DOCTOR_OK, NULL, "all %zu types that the maps make are sent", m->match->type_count);
  else
    say(m, in_note ? DOCTOR_OK : DOCTOR_WARNING,
        in_note ? NULL : "set sessionNote to replaced to send it as a page", "%.*s: %s%s%.*s", STR_ARG(list),
        in_note ? "in the session note" : "not sent at all", more ? "; the server would take " : "",
        STR_ARG(more ? welcome : STR("")));
}

static const struct {
  const char *check;
  void (*match)(const struct matching *m);
} rows[DOCTOR_MATCH_LINES] = {
    {"software", match_software}, {"fhir-version", match_version},    {"format", match_format},
    {"submit", match_submit},     {"idempotency", match_idempotency}, {"create", match_create},
    {"update", match_update},     {"search", match_search},           {"read-back", match_read_back},
    {"left-out", match_left_out},
};

void cli_doctor_match(const struct cli_doctor_match *match,
                      struct cli_doctor_line lines[DOCTOR_MATCH_LINES]) {
  for (size_t i = 0; i < DOCTOR_MATCH_LINES; i++) {
    struct matching matching = {.match = match, .line = &lines[i]};
    lines[i] = (struct cli_doctor_line){.check = rows[i].check};
    rows[i].match(&matching);
  }
}
