/* types.c - which primitive may stand for which, and whether a text is one. */
#include "mapping/internal.h"

enum family { TEXT, BOOLEAN, NUMBER, MOMENT, CLOCK, BINARY };

static enum family family_of(enum def_primitive primitive) {
  switch (primitive) {
  case DEF_P_BOOLEAN:
    return BOOLEAN;
  case DEF_P_INTEGER:
  case DEF_P_POSITIVE_INT:
  case DEF_P_UNSIGNED_INT:
  case DEF_P_DECIMAL:
    return NUMBER;
  case DEF_P_DATE:
  case DEF_P_DATETIME:
  case DEF_P_INSTANT:
    return MOMENT;
  case DEF_P_TIME:
    return CLOCK;
  case DEF_P_BASE64:
    return BINARY;
  default:
    return TEXT;
  }
}

/* Wider types take every text of narrower ones. */
static bool widens(enum def_primitive from, enum def_primitive to) {
  if (from == to) return true;
  if (to == DEF_P_STRING || to == DEF_P_MARKDOWN) return family_of(from) != BINARY;
  if (to == DEF_P_DECIMAL) return family_of(from) == NUMBER;
  if (to == DEF_P_INTEGER) return from == DEF_P_POSITIVE_INT || from == DEF_P_UNSIGNED_INT;
  if (to == DEF_P_UNSIGNED_INT) return from == DEF_P_POSITIVE_INT;
  if (to == DEF_P_DATETIME) return family_of(from) == MOMENT;
  if (to == DEF_P_URI)
    return from == DEF_P_URL || from == DEF_P_CANONICAL || from == DEF_P_OID || from == DEF_P_UUID;
  return false;
}

enum fml_fit fml_primitive_fit(enum def_primitive from, enum def_primitive to) {
  if (from == DEF_P_NONE || to == DEF_P_NONE) return FML_NO_FIT;
  if (widens(from, to)) return FML_FIT;
  enum family a = family_of(from), b = family_of(to);
  return a == b || a == TEXT || b == TEXT ? FML_FIT_CHECKED : FML_NO_FIT;
}

static bool whole_number(struct str text, int64_t min) {
  struct decimal d;
  int64_t value;
  if (str_find_char(text, '.', 0) != SIZE_MAX || str_find_char(text, 'e', 0) != SIZE_MAX ||
      str_find_char(text, 'E', 0) != SIZE_MAX)
    return false;
  return decimal_parse(text, &d) && decimal_to_int(d, &value) && value >= min && value <= INT32_MAX;
}

static bool no_space(struct str text) {
  for (size_t i = 0; i < text.len; i++)
    if ((unsigned char)text.ptr[i] <= ' ') return false;
  return text.len != 0;
}

/* R4: no space at either end, single spaces inside. */
static bool code_text(struct str text) {
  for (size_t i = 0; i < text.len; i++) {
    unsigned char c = (unsigned char)text.ptr[i];
    if (c < ' ') return false;
    if (c == ' ' && (i == 0 || i + 1 == text.len || text.ptr[i + 1] == ' ')) return false;
  }
  return text.len != 0;
}

bool fml_lexical(enum def_primitive primitive, struct str text) {
  struct datetime moment;
  struct decimal d;
  switch (primitive) {
  case DEF_P_BOOLEAN:
    return str_is(text, "true") || str_is(text, "false");
  case DEF_P_INTEGER:
    return whole_number(text, INT32_MIN);
  case DEF_P_POSITIVE_INT:
    return whole_number(text, 1);
  case DEF_P_UNSIGNED_INT:
    return whole_number(text, 0);
  case DEF_P_DECIMAL:
    return decimal_parse(text, &d);
  case DEF_P_DATE:
    return datetime_parse(text, DATETIME_DATE, &moment);
  case DEF_P_DATETIME:
    return datetime_parse(text, DATETIME_DATETIME, &moment);
  case DEF_P_INSTANT:
    return datetime_parse(text, DATETIME_INSTANT, &moment);
  case DEF_P_TIME:
    return datetime_parse(text, DATETIME_TIME, &moment);
  case DEF_P_URI:
  case DEF_P_URL:
  case DEF_P_CANONICAL:
  case DEF_P_OID:
  case DEF_P_UUID:
    return no_space(text);
  case DEF_P_CODE:
    return code_text(text);
  default:
    return text.len != 0;
  }
}

enum def_primitive fml_primitive_of(const struct def_type *type) {
  static const struct {
    const char *name;
    enum def_primitive primitive;
  } system[] = {{"System.String", DEF_P_STRING},   {"System.Boolean", DEF_P_BOOLEAN},
                {"System.Integer", DEF_P_INTEGER}, {"System.Decimal", DEF_P_DECIMAL},
                {"System.Date", DEF_P_DATE},       {"System.DateTime", DEF_P_DATETIME},
                {"System.Time", DEF_P_TIME}};
  if (!type) return DEF_P_NONE;
  if (def_type_kind(type) != DEF_SYSTEM) return def_type_primitive(type);
  struct str name = def_type_name(type);
  for (size_t i = 0; i < sizeof system / sizeof system[0]; i++)
    if (str_is(name, system[i].name)) return system[i].primitive;
  return DEF_P_NONE;
}

bool fml_is_primitive(const struct def_type *type) {
  return fml_primitive_of(type) != DEF_P_NONE;
}

struct fml_type fml_type_of(const struct def_type *type) {
  return (struct fml_type){.type = type};
}

struct str fml_type_label(struct arena *arena, struct fml_type type) {
  if (type.type) return def_type_name(type.type);
  if (!type.choice) return STR("a type not known before it runs");
  size_t count = def_element_type_count(type.choice);
  struct str label = STR("an unknown type"); /* of a model with a slip */
  for (size_t i = 0; i < count && i < 8; i++) {
    struct str name = def_type_name(def_element_type(type.choice, i).type);
    label = i == 0 ? name : arena_printf(arena, "%.*s | %.*s", STR_ARG(label), STR_ARG(name));
  }
  return count > 8 ? arena_printf(arena, "%.*s | …", STR_ARG(label)) : label;
}

/* The type among a choice that a system value takes. */
const struct def_type *fml_choose(const struct def_element *choice, enum def_primitive primitive) {
  static const enum def_primitive order[][4] = {
      {DEF_P_STRING, DEF_P_CODE, DEF_P_URI, DEF_P_MARKDOWN},
      {DEF_P_BOOLEAN, 0, 0, 0},
      {DEF_P_INTEGER, DEF_P_POSITIVE_INT, DEF_P_UNSIGNED_INT, DEF_P_DECIMAL},
      {DEF_P_DECIMAL, 0, 0, 0},
      {DEF_P_DATE, DEF_P_DATETIME, 0, 0},
      {DEF_P_DATETIME, DEF_P_INSTANT, DEF_P_DATE, 0},
      {DEF_P_TIME, 0, 0, 0}};
  if (family_of(primitive) == TEXT) primitive = DEF_P_STRING;
  for (size_t row = 0; row < sizeof order / sizeof order[0]; row++) {
    if (order[row][0] != primitive) continue;
    for (size_t k = 0; k < 4 && order[row][k]; k++)
      for (size_t i = 0; i < def_element_type_count(choice); i++) {
        const struct def_type *type = def_element_type(choice, i).type;
        if (fml_primitive_of(type) == order[row][k]) return type;
      }
  }
  return NULL;
}

bool fml_unit(struct str word, enum datetime_unit *unit) {
  static const struct {
    const char *word;
    enum datetime_unit unit;
  } units[] = {{"year", DATETIME_UNIT_YEAR},     {"month", DATETIME_UNIT_MONTH},
               {"week", DATETIME_UNIT_WEEK},     {"day", DATETIME_UNIT_DAY},
               {"hour", DATETIME_UNIT_HOUR},     {"minute", DATETIME_UNIT_MINUTE},
               {"second", DATETIME_UNIT_SECOND}, {"millisecond", DATETIME_UNIT_MILLISECOND}};
  struct str single = str_ends(word, STR("s")) ? str_slice(word, 0, word.len - 1) : word;
  for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
    if (!str_is(single, units[i].word)) continue;
    if (unit) *unit = units[i].unit;
    return true;
  }
  return false;
}
