/*
 * csv_values.c - a cell -> the value of an element: numbers, yes and no, dates and times in a clinic's own
 * format, units. What a spreadsheet has spoilt is refused with a hint; nothing is guessed.
 */
#include "intake/csv.h"

static bool digit(char c) {
  return c >= '0' && c <= '9';
}

static void refuse(struct csv_value *value, enum diag_code code, const char *why) {
  value->code = code;
  value->why = why;
}

/* --- numbers --- */

/* As JSON writes it, without an exponent: sign, no leading zeros, digits on both sides of the point. */
static bool plain_number(struct str text, bool whole) {
  size_t i = 0;
  if (i < text.len && text.ptr[i] == '-') i++;
  size_t first = i;
  while (i < text.len && digit(text.ptr[i]))
    i++;
  if (i == first || (text.ptr[first] == '0' && i - first > 1)) return false;
  if (i < text.len && text.ptr[i] == '.' && !whole) {
    size_t point = i++;
    while (i < text.len && digit(text.ptr[i]))
      i++;
    if (i == point + 1) return false;
  }
  return i == text.len && text.len <= LIMIT_NUMBER_CHARS;
}

/* 3.75E+01 */
static bool scientific(struct str text) {
  size_t at = str_find_char(text, 'E', 0);
  if (at == SIZE_MAX) at = str_find_char(text, 'e', 0);
  if (at == SIZE_MAX || at == 0 || at + 1 >= text.len) return false;
  size_t point = str_find_char(str_slice(text, 0, at), '.', 0);
  for (size_t i = text.ptr[0] == '-'; i < at; i++)
    if (!digit(text.ptr[i]) && i != point) return false;
  char sign = text.ptr[at + 1];
  size_t digits = at + (sign == '+' || sign == '-' ? 2 : 1);
  for (size_t i = digits; i < text.len; i++)
    if (!digit(text.ptr[i])) return false;
  return digits < text.len && (sign == '+' || sign == '-' || point != SIZE_MAX);
}

static bool quantity_in_words(struct str text) {
  return text.len > 1 && digit(text.ptr[0]) && !digit(text.ptr[text.len - 1]);
}

static const char *why_no_number(struct str text, bool whole, char decimal) {
  if (text.ptr[0] == '\'') return "the value begins with an apostrophe, as a spreadsheet marks text: export it without";
  if (scientific(text)) return "scientific notation, as a spreadsheet writes it: digits may be lost; export the cell as text";
  if (decimal == '.' && str_find_char(text, ',', 0) != SIZE_MAX)
    return "a comma in a number: say \"decimal\": \",\" in the description if it is the decimal sign; group no thousands";
  if (decimal == ',' && str_find_char(text, '.', 0) != SIZE_MAX)
    return "a point in a number, where the description says that a comma is the decimal sign";
  if (text.ptr[0] == '+' || (text.ptr[0] == '0' && text.len > 1)) return "write a number without + and without leading zeros";
  if (quantity_in_words(text)) return "a number stands alone: the unit is in the heading, or in the description";
  return whole ? "not a whole number" : "not a number";
}

static enum status read_number(const struct csv_cell *cell, struct arena *arena, struct csv_value *out) {
  bool whole = cell->type == CSV_INTEGER;
  char sign = cell->column->decimal;
  struct str text = cell->text;
  size_t comma = sign == ',' ? str_find_char(text, ',', 0) : SIZE_MAX;
  out->kind = TREE_NUMBER;
  if (sign == ',' && str_find_char(text, '.', 0) != SIZE_MAX) comma = SIZE_MAX;
  if (comma != SIZE_MAX) {
    text = arena_printf(arena, "%.*s.%.*s", (int)comma, text.ptr, STR_ARG(str_slice(text, comma + 1, SIZE_MAX)));
    if (!text.ptr) return STATUS_NOMEM;
  }
  bool fits = plain_number(text, whole) && !(sign == ',' && comma == SIZE_MAX && str_find_char(text, '.', 0) != SIZE_MAX);
  if (!fits) refuse(out, DIAG_VALUE_FORMAT, why_no_number(cell->text, whole, sign));
  out->text = text;
  return STATUS_OK;
}

/* --- units --- */

static enum status convert(const struct csv_unit *unit, struct arena *arena, struct csv_value *out) {
  struct decimal value;
  struct buf text;
  out->original = out->text;
  bool fits = decimal_parse(out->text, &value) && decimal_add(value, unit->add_before, &value) &&
              decimal_multiply(value, unit->multiply, &value) && decimal_divide(value, unit->divide, &value) &&
              decimal_add(value, unit->add_after, &value);
  if (!fits) {
    refuse(out, DIAG_VALUE_OUT_OF_RANGE, "too many digits to be converted exactly");
    return STATUS_OK;
  }
  value = decimal_round(value, unit->decimals);
  for (struct decimal padded; value.scale < unit->decimals; value = padded)
    if (!decimal_multiply(value, (struct decimal){.coefficient = 10, .scale = 1}, &padded)) return STATUS_LIMIT;
  buf_init(&text, 256);
  decimal_format(value, &text);
  out->text = buf_take_str(&text, arena);
  buf_release(&text);
  return out->text.ptr ? STATUS_OK : STATUS_NOMEM;
}

struct measure {
  struct def_ratio ratio;
  int8_t dimension[DEF_DIMENSIONS];
  struct decimal zero; /* added to reach the kelvin's own zero: of Cel and degF */
  bool special;
};

/* Degrees: (value + add) * num / den kelvins above Celsius' zero. */
static bool measure_of_unit(const struct def_unit *unit, struct measure *out) {
  if (!unit->exact || unit->arbitrary) return false;
  out->ratio = unit->ratio;
  memcpy(out->dimension, unit->dimension, sizeof out->dimension);
  out->special = unit->function.len != 0;
  if (str_is(unit->function, "degF")) {
    out->ratio = (struct def_ratio){5, 9, 0};
    out->zero = decimal_from_int(-32);
    return true;
  }
  return !out->special || str_is(unit->function, "Cel");
}

static bool measure_of(const struct definitions *definitions, struct str code, struct measure *out) {
  struct def_unit unit;
  struct def_ratio prefix;
  if (definitions_unit(definitions, code, &unit)) return measure_of_unit(&unit, out);
  for (size_t len = 1; len <= 2 && len < code.len; len++) {
    if (!definitions_prefix(definitions, str_slice(code, 0, len), &prefix)) continue;
    if (!definitions_unit(definitions, str_slice(code, len, code.len), &unit) || !unit.metric) continue;
    return measure_of_unit(&unit, out) && def_ratio_multiply(&out->ratio, &prefix);
  }
  return false;
}

static bool power_of_ten(int32_t exponent, struct decimal *out) {
  *out = decimal_from_int(1);
  if (exponent > 18 || exponent < -18) return false;
  for (int32_t i = 0; i < (exponent < 0 ? -exponent : exponent); i++)
    if (!decimal_multiply(*out, decimal_from_int(10), out)) return false;
  return true;
}

/* from: r1 of the base, to: r2: value * r1 / r2, as a product and one division. */
static bool factor(const struct measure *from, const struct measure *to, struct csv_unit *unit) {
  struct def_ratio ratio = from->ratio;
  struct decimal ten;
  if (!def_ratio_divide(&ratio, &to->ratio)) return false;
  def_ratio_reduce(&ratio);
  if (!power_of_ten(ratio.exponent, &ten)) return false;
  unit->multiply = (struct decimal){.coefficient = ratio.num};
  unit->divide = (struct decimal){.coefficient = ratio.den};
  return decimal_multiply(ratio.exponent > 0 ? unit->multiply : unit->divide, ten,
                          ratio.exponent > 0 ? &unit->multiply : &unit->divide);
}

bool intake_csv_unit(const struct definitions *definitions, struct csv_unit *unit) {
  struct measure from = {0}, to = {0};
  if (!measure_of(definitions, unit->from, &from) || !measure_of(definitions, unit->to, &to)) return false;
  if (memcmp(from.dimension, to.dimension, sizeof from.dimension) != 0) return false;
  if (from.special != to.special) return false; /* kelvins and degrees differ by more than a factor */
  unit->add_before = from.zero;
  unit->add_after = decimal_negate(to.zero);
  return factor(&from, &to, unit);
}

/* --- dates and times --- */

/* The tokens of a format, longest first. */
static const struct token {
  const char *text;
  char part; /* Y M D H h m s a Z */
  uint8_t least, most;
} tokens[] = {{"YYYY", 'Y', 4, 4}, {"MM", 'M', 2, 2}, {"M", 'M', 1, 2}, {"DD", 'D', 2, 2}, {"D", 'D', 1, 2},
              {"HH", 'H', 2, 2},   {"H", 'H', 1, 2},  {"hh", 'h', 2, 2}, {"h", 'h', 1, 2}, {"mm", 'm', 2, 2},
              {"ss", 's', 2, 2},   {"a", 'a', 2, 2},  {"Z", 'Z', 1, 6}};

static const struct token *token_at(struct str format, size_t at) {
  for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++)
    if (str_starts(str_slice(format, at, SIZE_MAX), str_of(tokens[i].text))) return &tokens[i];
  return NULL;
}

static bool letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool seen(const bool *parts, const char *all) {
  for (; *all; all++)
    if (!parts[(unsigned char)*all]) return false;
  return true;
}

const char *intake_csv_format_fault(struct str format, enum csv_type type) {
  bool parts[128] = {false};
  for (size_t at = 0; at < format.len;) {
    const struct token *token = token_at(format, at);
    char c = format.ptr[at];
    if (!token && letter(c) && c != 'T') return "a letter that is none of YYYY MM M DD D HH H hh h mm ss a Z";
    if (token && parts[(unsigned char)token->part]) return "the same part twice";
    if (token) parts[(unsigned char)token->part] = true;
    at += token ? strlen(token->text) : 1;
  }
  if (!seen(parts, "YMD")) return "a date needs YYYY, MM or M, and DD or D: a year of two digits is never guessed";
  bool time = parts['H'] || parts['h'] || parts['m'] || parts['s'] || parts['a'] || parts['Z'];
  if (type == CSV_DATE) return time ? "the element is a date, without a time" : NULL;
  if (!parts['m'] || parts['H'] == parts['h']) return "a time needs HH, or hh with a, and mm";
  return parts['h'] != parts['a'] ? "hh needs a (AM or PM), and a needs hh" : NULL;
}

struct scan {
  struct str text;
  size_t at;
};

static bool take_number(struct scan *scan, const struct token *token, int *out) {
  size_t from = scan->at;
  int value = 0;
  while (scan->at < scan->text.len && digit(scan->text.ptr[scan->at]) && scan->at - from < token->most)
    value = value * 10 + (scan->text.ptr[scan->at++] - '0');
  *out = value;
  return scan->at - from >= token->least;
}

static bool take_half(struct scan *scan, int *out) {
  struct str half = str_slice(scan->text, scan->at, scan->at + 2);
  scan->at += 2;
  *out = half.len == 2 && (half.ptr[0] == 'P' || half.ptr[0] == 'p');
  return half.len == 2 && (half.ptr[1] == 'M' || half.ptr[1] == 'm') && (*out || half.ptr[0] == 'A' || half.ptr[0] == 'a');
}

/* Z, +hh:mm, -hhmm */
static bool take_offset(struct scan *scan, struct datetime *time) {
  static const struct token two = {"", 0, 2, 2};
  int hours, minutes;
  char sign = scan->at < scan->text.len ? scan->text.ptr[scan->at++] : 0;
  time->has_offset = true;
  if (sign == 'Z') return true;
  if ((sign != '+' && sign != '-') || !take_number(scan, &two, &hours)) return false;
  if (scan->at < scan->text.len && scan->text.ptr[scan->at] == ':') scan->at++;
  if (!take_number(scan, &two, &minutes) || hours > 14 || minutes > 59 || (hours == 14 && minutes)) return false;
  time->offset = (int16_t)((hours * 60 + minutes) * (sign == '-' ? -1 : 1));
  return true;
}

/* The numbers of a cell by its format; indexed by the part's letter. */
static bool scan_format(struct str text, struct str format, int values[128], struct datetime *time) {
  struct scan scan = {text, 0};
  for (size_t at = 0; at < format.len;) {
    const struct token *token = token_at(format, at);
    if (!token) {
      if (scan.at >= text.len || text.ptr[scan.at++] != format.ptr[at++]) return false;
      continue;
    }
    int *value = &values[(unsigned char)token->part];
    bool fits = token->part == 'Z'   ? take_offset(&scan, time)
                : token->part == 'a' ? take_half(&scan, value)
                                     : take_number(&scan, token, value);
    if (!fits) return false;
    at += strlen(token->text);
  }
  return scan.at == text.len;
}

static bool in_range(int value, int low, int high) {
  return value >= low && value <= high;
}

/* 12 AM is midnight, 12 PM is noon. */
static bool set_hour(int values[128], struct str format) {
  if (str_find_char(format, 'h', 0) == SIZE_MAX) return in_range(values['H'], 0, 23);
  if (!in_range(values['h'], 1, 12)) return false;
  values['H'] = values['h'] % 12 + (values['a'] ? 12 : 0);
  return true;
}

static bool by_format(const struct csv_cell *cell, struct datetime *out) {
  int values[128] = {0};
  struct str format = cell->column->format;
  *out = (struct datetime){.kind = cell->type == CSV_DATE ? DATETIME_DATE : DATETIME_INSTANT,
                           .precision = cell->type == CSV_DATE ? DATETIME_DAY : DATETIME_SECOND};
  if (!scan_format(cell->text, format, values, out)) return false;
  if (!in_range(values['Y'], 1, 9999) || !in_range(values['M'], 1, 12) ||
      !in_range(values['D'], 1, datetime_days_in_month(values['Y'], values['M'])))
    return false;
  if (cell->type == CSV_TIME && (!set_hour(values, format) || values['m'] > 59 || values['s'] > 59)) return false;
  out->year = (int16_t)values['Y'];
  out->month = (uint8_t)values['M'];
  out->day = (uint8_t)values['D'];
  out->hour = (uint8_t)values['H'];
  out->minute = (uint8_t)values['m'];
  out->second = (uint8_t)values['s'];
  return true;
}

static const char *why_no_time(const struct csv_cell *cell) {
  struct str text = cell->text;
  if (text.ptr[0] == '\'') return "the value begins with an apostrophe, as a spreadsheet marks text: export it without";
  if (cell->column->format.len) return "not a date of the calendar in the format that the description gives";
  if (str_find_char(text, '/', 0) != SIZE_MAX || str_find_char(text, '.', 0) == 2)
    return "a date as a spreadsheet or a form writes it: which number is the month is not guessed; give \"format\" in the description";
  bool number = true;
  for (size_t i = 0; i < text.len; i++)
    number = number && (digit(text.ptr[i]) || text.ptr[i] == '.');
  if (number && text.len > 4) return "a number, as a spreadsheet keeps dates: export the column as a date";
  if (cell->type == CSV_DATE) return "not a date: YYYY-MM-DD, YYYY-MM or YYYY";
  return "not a time with seconds and an offset: 2026-03-11T09:30:00-05:00; give \"format\" in the description";
}

static void place_in_zone(const struct csv_cell *cell, struct datetime *time, struct csv_value *out) {
  enum datetime_local local = cell->zone ? datetime_zone_resolve(cell->zone, time) : DATETIME_LOCAL_ONE;
  if (!cell->zone)
    refuse(out, DIAG_VALUE_FORMAT, "the time has no offset, and the site's time zone is not known");
  else if (local == DATETIME_LOCAL_NEVER)
    refuse(out, DIAG_VALUE_FORMAT,
           "no clock showed this time: it lies in the hour that is skipped when summer time begins");
  else if (local == DATETIME_LOCAL_TWICE)
    refuse(out, DIAG_VALUE_FORMAT,
           "clocks showed this time twice, as summer time ended: write the offset (Z in the format)");
}

static enum status read_time(const struct csv_cell *cell, struct arena *arena, struct csv_value *out) {
  struct datetime time;
  enum datetime_kind kind = cell->type == CSV_DATE ? DATETIME_DATE : DATETIME_INSTANT;
  struct buf text;
  out->text = cell->text;
  if (!cell->column->format.len) {
    if (!datetime_parse(cell->text, kind, &time)) refuse(out, DIAG_VALUE_FORMAT, why_no_time(cell));
    return STATUS_OK;
  }
  if (!by_format(cell, &time)) {
    refuse(out, DIAG_VALUE_FORMAT, why_no_time(cell));
    return STATUS_OK;
  }
  if (kind == DATETIME_INSTANT && !time.has_offset) place_in_zone(cell, &time, out);
  if (out->why) return STATUS_OK;
  buf_init(&text, 64);
  datetime_format(&time, &text);
  out->text = buf_take_str(&text, arena);
  buf_release(&text);
  return out->text.ptr ? STATUS_OK : STATUS_NOMEM;
}

/* --- the whole --- */

static struct str translate(const struct csv_cell *cell) {
  const struct csv_column *column = cell->column;
  for (size_t i = 0; i < column->word_count; i++)
    if (str_eq(column->words[i].cell, cell->text)) return column->words[i].word;
  return cell->text;
}

static void read_boolean(struct csv_value *out) {
  out->kind = TREE_BOOLEAN;
  if (!str_is(out->text, "true") && !str_is(out->text, "false"))
    refuse(out, DIAG_VALUE_FORMAT, "neither true nor false: give \"words\" in the description for other spellings");
}

static void read_text(struct csv_value *out) {
  if (scientific(out->text))
    refuse(out, DIAG_VALUE_FORMAT,
           "scientific notation, as a spreadsheet writes long numbers: digits may be lost; export the cell as text");
}

enum status intake_csv_value(const struct csv_cell *cell, struct arena *arena, struct csv_value *out) {
  struct csv_cell translated = *cell;
  translated.text = translate(cell);
  *out = (struct csv_value){.kind = TREE_STRING, .text = translated.text};
  enum status status = STATUS_OK;
  switch (cell->type) {
  case CSV_TEXT:
    read_text(out);
    break;
  case CSV_BOOLEAN:
    read_boolean(out);
    break;
  case CSV_INTEGER:
  case CSV_DECIMAL:
    status = read_number(&translated, arena, out);
    break;
  case CSV_DATE:
  case CSV_TIME:
    status = read_time(&translated, arena, out);
    break;
  }
  if (status == STATUS_OK && !out->why && cell->column->unit.from.len)
    status = convert(&cell->column->unit, arena, out);
  return status;
}
