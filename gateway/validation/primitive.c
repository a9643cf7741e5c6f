/*
 * primitive.c - the lexical rules of the primitive types, as R4's regular expressions say them
 * (http://hl7.org/fhir/R4/datatypes.html), written as scanners: one pass, no backtracking, no allocation.
 */
#include "validation/internal.h"
#include "validation/words.h"

enum { STRING_BYTES_MAX = 1 << 20, ID_MAX = 64 };

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* \s of the regular expressions. */
static bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Some byte is below `limit`: eight at a time, the last eight over again. */
static inline bool has_below(struct str text, unsigned limit) {
  uint64_t found = 0;
  if (text.len < WORD) return text.len && below(short_word(text), limit) != 0;
  for (size_t at = 0; at + WORD < text.len; at += WORD)
    found |= below(word_at(text.ptr + at), limit);
  return (found | below(word_at(text.ptr + text.len - WORD), limit)) != 0;
}

/* Characters that no string may have: below U+0020, but tab, LF and CR. */
static bool has_control(struct str text) {
  if (!has_below(text, ' ')) return false;
  for (size_t i = 0; i < text.len; i++) {
    unsigned char c = (unsigned char)text.ptr[i];
    if (c < 0x20 && c != '\t' && c != '\n' && c != '\r') return true;
  }
  return false;
}

/* [ \r\n\t\S]+ */
static const char *check_string(struct str text) {
  if (text.len == 0) return "must not be empty";
  if (text.len > STRING_BYTES_MAX) return "must not be longer than 1 MiB";
  return has_control(text) ? "must not hold control characters" : NULL;
}

/* [^\s]+(\s[^\s]+)* */
static const char *check_code(struct str text) {
  if (text.len == 0) return "must not be empty";
  if (!has_below(text, ' ' + 1)) return NULL;
  if (is_space(text.ptr[0]) || is_space(text.ptr[text.len - 1])) return "must not begin or end with a space";
  for (size_t i = 1; i < text.len; i++)
    if (is_space(text.ptr[i]) && is_space(text.ptr[i - 1])) return "must not hold two spaces in a row";
  return has_control(text) ? "must not hold control characters" : NULL;
}

/* What a byte may be part of. */
enum { OF_ID = 1, OF_UUID = 2 };
static const unsigned char classes[256] = {
    ['-'] = OF_ID,           ['.'] = OF_ID,           ['0'] = OF_ID | OF_UUID, ['1'] = OF_ID | OF_UUID, ['2'] = OF_ID | OF_UUID,
    ['3'] = OF_ID | OF_UUID, ['4'] = OF_ID | OF_UUID, ['5'] = OF_ID | OF_UUID, ['6'] = OF_ID | OF_UUID, ['7'] = OF_ID | OF_UUID,
    ['8'] = OF_ID | OF_UUID, ['9'] = OF_ID | OF_UUID, ['A'] = OF_ID,           ['B'] = OF_ID,           ['C'] = OF_ID,
    ['D'] = OF_ID,           ['E'] = OF_ID,           ['F'] = OF_ID,           ['G'] = OF_ID,           ['H'] = OF_ID,
    ['I'] = OF_ID,           ['J'] = OF_ID,           ['K'] = OF_ID,           ['L'] = OF_ID,           ['M'] = OF_ID,
    ['N'] = OF_ID,           ['O'] = OF_ID,           ['P'] = OF_ID,           ['Q'] = OF_ID,           ['R'] = OF_ID,
    ['S'] = OF_ID,           ['T'] = OF_ID,           ['U'] = OF_ID,           ['V'] = OF_ID,           ['W'] = OF_ID,
    ['X'] = OF_ID,           ['Y'] = OF_ID,           ['Z'] = OF_ID,           ['a'] = OF_ID | OF_UUID, ['b'] = OF_ID | OF_UUID,
    ['c'] = OF_ID | OF_UUID, ['d'] = OF_ID | OF_UUID, ['e'] = OF_ID | OF_UUID, ['f'] = OF_ID | OF_UUID, ['g'] = OF_ID,
    ['h'] = OF_ID,           ['i'] = OF_ID,           ['j'] = OF_ID,           ['k'] = OF_ID,           ['l'] = OF_ID,
    ['m'] = OF_ID,           ['n'] = OF_ID,           ['o'] = OF_ID,           ['p'] = OF_ID,           ['q'] = OF_ID,
    ['r'] = OF_ID,           ['s'] = OF_ID,           ['t'] = OF_ID,           ['u'] = OF_ID,           ['v'] = OF_ID,
    ['w'] = OF_ID,           ['x'] = OF_ID,           ['y'] = OF_ID,           ['z'] = OF_ID};

/* Without a way out of the loop: there is nearly always none to be taken. */
static inline bool are_all(const char *at, size_t count, unsigned class) {
  unsigned kept = class;
  for (size_t i = 0; i < count; i++)
    kept &= classes[(unsigned char)at[i]];
  return kept != 0;
}

static const char *check_id(struct str text) {
  if (text.len == 0 || text.len > ID_MAX) return "must have 1 to 64 characters";
  return are_all(text.ptr, text.len, OF_ID) ? NULL : "may hold only letters, digits, '-' and '.'";
}

/* urn:oid:[0-2](\.(0|[1-9][0-9]*))+ */
static const char *check_oid(struct str text) {
  static const char why[] = "must be urn:oid: and numbers with dots between them";
  struct str arcs = str_slice(text, 8, text.len);
  if (!str_starts(text, STR("urn:oid:")) || arcs.len < 3 || arcs.ptr[0] < '0' || arcs.ptr[0] > '2')
    return why;
  size_t at = 1;
  while (at < arcs.len) {
    if (arcs.ptr[at++] != '.' || at == arcs.len || !is_digit(arcs.ptr[at])) return why;
    bool zero = arcs.ptr[at++] == '0';
    for (; at < arcs.len && is_digit(arcs.ptr[at]); at++)
      if (zero) return why;
  }
  return NULL;
}

/* urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12} */
static const char *check_uuid(struct str text) {
  static const char why[] = "must be urn:uuid: and a UUID in lower case";
  if (!str_starts(text, STR("urn:uuid:")) || text.len != 45) return why;
  const char *at = text.ptr + 9;
  bool good = are_all(at, 8, OF_UUID) && at[8] == '-' && are_all(at + 9, 4, OF_UUID) && at[13] == '-' &&
              are_all(at + 14, 4, OF_UUID) && at[18] == '-' && are_all(at + 19, 4, OF_UUID) && at[23] == '-' &&
              are_all(at + 24, 12, OF_UUID);
  return good ? NULL : why;
}

/* \S* and, as every value in FHIR JSON, not empty */
static const char *check_characters(struct str text) {
  if (text.len == 0) return "must not be empty";
  if (!has_below(text, ' ' + 1)) return NULL;
  return has_control(text) ? "must not hold control characters" : "must not hold spaces";
}

/* A UUID or OID is written as such in any uri; `oid:` and `uuid:` are the beginnings of no scheme. */
static const char *check_scheme(struct str text) {
  if (text.ptr[0] != 'u' && text.ptr[0] != 'o') return NULL;
  if (str_starts(text, STR("urn:uuid:"))) return check_uuid(str_slice(text, 0, str_find_char(text, '#', 0)));
  if (str_starts(text, STR("urn:oid:"))) return check_oid(text);
  if (str_starts(text, STR("oid:")) || str_starts(text, STR("uuid:")))
    return "must begin with urn: before oid: or uuid:";
  return NULL;
}

static const char *check_uri(struct str text) {
  const char *why = check_characters(text);
  return why ? why : check_scheme(text);
}

static struct str before_version(struct str text) {
  size_t at = 1;
  while (at < text.len && text.ptr[at] != '|' && text.ptr[at] != '#')
    at++;
  return str_slice(text, 0, at);
}

/* "The canonical URL is always an absolute URI" (references.html#canonical), or a #fragment. */
static const char *check_canonical(struct str text) {
  const char *why = check_characters(text);
  size_t at = 0;
  if (!why && (text.ptr[0] == 'u' || text.ptr[0] == 'o')) why = check_scheme(before_version(text));
  if (why || text.ptr[0] == '#' || str_starts(text, STR("http:"))) return why;
  while (at < text.len && (is_letter(text.ptr[at]) || (at && (is_digit(text.ptr[at]) || text.ptr[at] == '+' ||
                                                              text.ptr[at] == '-' || text.ptr[at] == '.'))))
    at++;
  return at && at < text.len && text.ptr[at] == ':' ? NULL : "must be an absolute URL, or begin with #";
}

/* (\s*([0-9a-zA-Z\+\/=]){4}\s*)+ with `=` where RFC 4648 has it: at the very end. */
static const char *check_base64(struct str text) {
  size_t digits = 0, padding = 0;
  for (size_t i = 0; i < text.len; i++) {
    char c = text.ptr[i];
    if (is_space(c) && digits % 4 == 0) continue;
    if (c == '=')
      padding++;
    else if (padding || !(is_letter(c) || is_digit(c) || c == '+' || c == '/'))
      return "must be base64";
    digits++;
  }
  if (digits == 0) return "must not be empty";
  return digits % 4 || padding > 2 ? "must be base64: groups of four, padded with '='" : NULL;
}

/* -?(0|[1-9][0-9]*) that fits 32 bits, at least `least`; JSON has no leading plus. */
static const char *check_whole(struct str text, int64_t least) {
  int64_t value = 0;
  bool negative = text.len > 0 && text.ptr[0] == '-';
  struct str digits = str_slice(text, negative, text.len);
  if (digits.len == 0) return "must be a whole number";
  for (size_t i = 0; i < digits.len; i++) {
    if (!is_digit(digits.ptr[i])) return "must be a whole number, without fraction and exponent";
    if (value <= INT32_MAX) value = value * 10 + (digits.ptr[i] - '0');
  }
  if (digits.ptr[0] == '0' && (digits.len > 1 || negative))
    return "must not have a leading zero or minus zero";
  if (negative) value = -value;
  if (value > INT32_MAX || value < INT32_MIN) return "must fit 32 bits";
  if (value < least) return least == 1 ? "must be at least 1" : "must not be negative";
  return NULL;
}

static const char *check_integer(struct str text) {
  return check_whole(text, INT32_MIN);
}
static const char *check_positive(struct str text) {
  return check_whole(text, 1);
}
static const char *check_unsigned(struct str text) {
  return check_whole(text, 0);
}

static const char *check_boolean(struct str text) {
  return str_is(text, "true") || str_is(text, "false") ? NULL : "must be true or false";
}

static size_t skip_digits(struct str text, size_t at) {
  while (at < text.len && is_digit(text.ptr[at]))
    at++;
  return at;
}

/* -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)? of any size: what cannot be calculated with is carried. */
static const char *check_decimal(struct str text) {
  static const char why[] = "must be a number";
  size_t from = text.len > 0 && text.ptr[0] == '-';
  size_t at = skip_digits(text, from);
  if (at == from || (at > from + 1 && text.ptr[from] == '0')) return why;
  if (at < text.len && text.ptr[at] == '.') {
    from = at + 1;
    at = skip_digits(text, from);
    if (at == from) return why;
  }
  if (at < text.len && (text.ptr[at] == 'e' || text.ptr[at] == 'E')) {
    from = at + 1;
    if (from < text.len && (text.ptr[from] == '+' || text.ptr[from] == '-')) from++;
    at = skip_digits(text, from);
    if (at == from) return why;
  }
  return at == text.len ? NULL : why;
}

static const char *check_time_kind(struct str text, enum datetime_kind kind) {
  static const char *const why[] = {
      [DATETIME_DATE] = "must be a date: YYYY, YYYY-MM or YYYY-MM-DD",
      [DATETIME_DATETIME] =
          "must be a date, or date and time with seconds and offset: 2026-03-11T09:30:00-05:00",
      [DATETIME_INSTANT] = "must be date and time with seconds and offset: 2026-03-11T09:30:00-05:00",
      [DATETIME_TIME] = "must be a time with seconds: 09:30:00"};
  struct datetime value;
  return datetime_parse(text, kind, &value) ? NULL : why[kind];
}

static const char *check_date(struct str text) {
  return check_time_kind(text, DATETIME_DATE);
}
static const char *check_datetime(struct str text) {
  return check_time_kind(text, DATETIME_DATETIME);
}
static const char *check_instant(struct str text) {
  return check_time_kind(text, DATETIME_INSTANT);
}
static const char *check_time(struct str text) {
  return check_time_kind(text, DATETIME_TIME);
}

static const char *check_xhtml(struct str text) {
  const char *why = NULL;
  return validation_xhtml(text, &why) ? NULL : why;
}

static const struct primitive_row {
  enum tree_kind kind; /* in JSON */
  const char *(*check)(struct str text);
} rows[] = {
    [DEF_P_BOOLEAN] = {TREE_BOOLEAN, check_boolean},
    [DEF_P_INTEGER] = {TREE_NUMBER, check_integer},
    [DEF_P_POSITIVE_INT] = {TREE_NUMBER, check_positive},
    [DEF_P_UNSIGNED_INT] = {TREE_NUMBER, check_unsigned},
    [DEF_P_DECIMAL] = {TREE_NUMBER, check_decimal},
    [DEF_P_STRING] = {TREE_STRING, check_string},
    [DEF_P_MARKDOWN] = {TREE_STRING, check_string},
    [DEF_P_CODE] = {TREE_STRING, check_code},
    [DEF_P_ID] = {TREE_STRING, check_id},
    [DEF_P_OID] = {TREE_STRING, check_oid},
    [DEF_P_UUID] = {TREE_STRING, check_uuid},
    [DEF_P_URI] = {TREE_STRING, check_uri},
    [DEF_P_URL] = {TREE_STRING, check_uri},
    [DEF_P_CANONICAL] = {TREE_STRING, check_canonical},
    [DEF_P_BASE64] = {TREE_STRING, check_base64},
    [DEF_P_DATE] = {TREE_STRING, check_date},
    [DEF_P_DATETIME] = {TREE_STRING, check_datetime},
    [DEF_P_INSTANT] = {TREE_STRING, check_instant},
    [DEF_P_TIME] = {TREE_STRING, check_time},
    [DEF_P_XHTML] = {TREE_STRING, check_xhtml},
};

static const char *wrong_kind(enum tree_kind expected) {
  switch (expected) {
  case TREE_BOOLEAN:
    return "must be true or false, without quotes";
  case TREE_NUMBER:
    return "must be a number, without quotes";
  default:
    return "must be a string, in quotes";
  }
}

bool validation_primitive(enum def_primitive primitive, struct str text, enum tree_kind kind,
                          const char **why) {
  const char *reason = NULL;
  if (primitive == DEF_P_NONE || (size_t)primitive >= sizeof rows / sizeof rows[0]) return true;
  const struct primitive_row *row = &rows[primitive];
  if (kind != row->kind)
    reason = wrong_kind(row->kind);
  else
    reason = row->check(text);
  if (why) *why = reason;
  return !reason;
}

bool validation_is_plain_value(enum def_primitive primitive, const struct tree_node *node) {
  if (primitive == DEF_P_NONE || (size_t)primitive >= sizeof rows / sizeof rows[0]) return false;
  return (enum tree_kind)node->kind == rows[primitive].kind && !rows[primitive].check(node->text);
}

bool validation_check_format(const struct validation_visit *visit) {
  const struct tree_node *node = visit->node;
  const char *why = NULL;
  enum def_primitive primitive = visit->plan->primitive;
  if (node->kind == TREE_NULL && node->child) return false; /* extensions in place of the value */
  if (validation_primitive(primitive, node->text, (enum tree_kind)node->kind, &why)) return true;
  bool kind = node->kind != rows[primitive].kind;
  struct str name = def_type_name(visit->plan->type);
  if (primitive == DEF_P_XHTML && !kind) {
    validation_report(visit->walk, DIAG_ERROR, DIAG_VALUE_FORMAT, node, "%s", why);
    return false;
  }
  validation_report(visit->walk, DIAG_ERROR, kind ? DIAG_WRONG_TYPE : DIAG_VALUE_FORMAT, node,
                    "a value of type %.*s %s", STR_ARG(name), why);
  return false;
}
