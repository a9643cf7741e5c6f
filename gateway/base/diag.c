/* diag.c - collecting diagnostics, and rendering them one by one as text. */
#include "base/diag.h"

#include <stdio.h>
#include "base/utf8.h"

static const struct code_row {
  const char *name, *issue, *help;
} CODES[] = {
#define DIAG(name, text, issue, help) [DIAG_##name] = {text, issue, help},
#include "base/diag.def"
#undef DIAG
};

const char *diag_severity_name(enum diag_severity severity) {
  static const char *const names[] = {"information", "warning", "error", "fatal"};
  return names[severity];
}

const char *diag_code_name(enum diag_code code) {
  return CODES[code].name;
}

const char *diag_code_issue(enum diag_code code) {
  return CODES[code].issue;
}

const char *diag_code_help(enum diag_code code) {
  return CODES[code].help;
}

void diag_list_init(struct diag_list *list, struct arena *arena) {
  *list = (struct diag_list){.arena = arena};
}

/* --- making text fit to be shown --- */

/* Format characters that can hide or reorder what a person reads, and line ends beyond ASCII. */
static bool unprintable(uint32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0xFFFD || c == 0xFEFF || (c >= 0x200B && c <= 0x200F) ||
         (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x2069);
}

static void add_printable(struct buf *out, struct str value, size_t from, size_t to, uint32_t c) {
  if (c == 0xFFFD && to - from == 1) {
    buf_printf(out, "\\x%02x", (unsigned)(unsigned char)value.ptr[from]);
  } else if (c == '"' || c == '\\') {
    buf_add_char(out, '\\');
    buf_add_char(out, (char)c);
  } else if (c == '\n' || c == '\r' || c == '\t') {
    buf_add_text(out, c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t");
  } else if (unprintable(c)) {
    buf_printf(out, "\\u%04x", (unsigned)c);
  } else {
    buf_add(out, value.ptr + from, to - from);
  }
}

/* How many bytes from the beginning stand for themselves, as nearly all of nearly all values do. */
static size_t plain_bytes(struct str value) {
  size_t count = 0;
  for (; count < value.len && count < DIAG_QUOTE_MAX; count++) {
    char c = value.ptr[count];
    if (c < 0x20 || c >= 0x7F || c == '"' || c == '\\') break;
  }
  return count;
}

struct str diag_quote(struct arena *arena, struct str value) {
  struct buf out;
  struct str quoted;
  size_t at = plain_bytes(value);
  if (at == value.len || at == DIAG_QUOTE_MAX) {
    quoted = arena_concat(arena, str_slice(value, 0, at), at == value.len ? STR("") : STR("…"));
    return quoted.ptr ? quoted : STR("");
  }
  buf_init(&out, (size_t)DIAG_QUOTE_MAX * 8);
  buf_add(&out, value.ptr, at);
  while (at < value.len) {
    size_t from = at;
    uint32_t c = utf8_next(value, &at);
    if (at > DIAG_QUOTE_MAX) {
      buf_add_text(&out, "…");
      break;
    }
    add_printable(&out, value, from, at, c);
  }
  quoted = buf_take_str(&out, arena);
  buf_release(&out);
  return quoted.ptr ? quoted : STR("");
}

/* Around a value in a format's arguments; what is quoted has no control characters of its own. */
enum { VALUE_BEGINS = 0x01, VALUE_ENDS = 0x02 };

struct str diag_value(struct arena *arena, struct str value) {
  struct str quoted = diag_quote(arena, value);
  if (!quoted.len) return quoted;
  char *marked = arena_alloc(arena, quoted.len + 3);
  if (!marked) return (struct str){0};
  marked[0] = VALUE_BEGINS;
  memcpy(marked + 1, quoted.ptr, quoted.len);
  marked[quoted.len + 1] = VALUE_ENDS;
  return str_make(marked, quoted.len + 2);
}

/* A message without its marks; with `hide` … stands for what they mark. */
static struct str unmark(struct arena *arena, struct str text, bool hide) {
  struct buf out;
  bool within = false;
  buf_init(&out, text.len * 3 + 1);
  for (size_t i = 0; i < text.len; i++) {
    char c = text.ptr[i];
    if (c == VALUE_BEGINS && hide) buf_add_text(&out, "…");
    if (c == VALUE_BEGINS || c == VALUE_ENDS)
      within = c == VALUE_BEGINS;
    else if (!within || !hide)
      buf_add_char(&out, c);
  }
  struct str plain = buf_take_str(&out, arena);
  buf_release(&out);
  return plain;
}

/* As it is shown, and without values. */
static bool take_text(struct arena *arena, struct str text, struct str *shown, struct str *bare) {
  bool marked = str_find_char(text, VALUE_BEGINS, 0) != SIZE_MAX;
  *shown = diag_clean(arena, marked ? unmark(arena, text, false) : text);
  *bare = marked ? diag_clean(arena, unmark(arena, text, true)) : *shown;
  return shown->ptr && bare->ptr;
}

void diag_hide_values(struct diag_list *list) {
  for (struct diag *diag = list->first; diag; diag = diag->next) {
    diag->message = diag->bare;
    diag->path = diag->bare_path;
  }
}

struct str diag_clean(struct arena *arena, struct str text) {
  bool plain = utf8_invalid_at(text) == SIZE_MAX;
  for (size_t i = 0; plain && i < text.len; i++)
    plain = (unsigned char)text.ptr[i] >= 0x20 && (unsigned char)text.ptr[i] < 0x7F; /* C1 steers a terminal as ESC [ does */
  if (plain || text.len > SIZE_MAX / 8) return arena_str(arena, text);
  struct buf out;
  buf_init(&out, text.len * 8);
  for (size_t at = 0; at < text.len;) {
    size_t from = at;
    uint32_t c = utf8_next(text, &at);
    if (c == '"' || c == '\\') {
      buf_add_char(&out, (char)c);
    } else {
      add_printable(&out, text, from, at, c);
    }
  }
  struct str copy = buf_take_str(&out, arena);
  buf_release(&out);
  return copy;
}

/* --- collecting --- */

/* In a source with a map the place says which file. */
static bool fill_place(struct diag_list *list, struct diag *diag, const struct diag_at *at) {
  struct source_place place = at->source->map->find(at->source->map, at->offset);
  diag->file = diag_clean(list->arena, place.file);
  diag->column = diag_clean(list->arena, place.column);
  diag->line = place.position.line;
  diag->col = place.position.col;
  return diag->file.ptr && diag->column.ptr;
}

static bool fill(struct diag_list *list, struct diag *diag, const struct diag_at *at) {
  if (!at) return true;
  if (at->source && at->source->map) {
    if (!fill_place(list, diag, at)) return false;
  } else if (at->source) {
    diag->file = diag_clean(list->arena, at->source->name);
    if (!diag->file.ptr) return false;
  }
  if (at->source && !at->source->map && at->source->text.ptr) {
    struct source_position position = source_locate_next(at->source, at->offset, &list->cursor);
    diag->line = position.line;
    diag->col = position.col;
  }
  diag->expression = diag_clean(list->arena, at->expression);
  diag->profile = diag_clean(list->arena, at->profile);
  diag->rule = diag_clean(list->arena, at->rule);
  return take_text(list->arena, at->path, &diag->path, &diag->bare_path) && diag->expression.ptr && diag->profile.ptr && diag->rule.ptr;
}

static struct diag *make(struct diag_list *list, const struct diag_at *at, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

static struct diag *make(struct diag_list *list, const struct diag_at *at, const char *format, va_list args) {
  struct diag *diag = ARENA_NEW(list->arena, struct diag);
  if (!diag) return NULL;
  struct str message = arena_vprintf(list->arena, format, args);
  if (!message.ptr) return NULL;
  return take_text(list->arena, message, &diag->message, &diag->bare) && fill(list, diag, at) ? diag : NULL;
}

static void append(struct diag_list *list, struct diag *diag) {
  diag->next = NULL;
  if (list->last) {
    list->last->next = diag;
  } else {
    list->first = diag;
  }
  list->last = diag;
  list->count++;
  list->errors += diag->severity >= DIAG_ERROR;
}

void diag_add(struct diag_list *list, enum diag_severity severity, enum diag_code code,
              const struct diag_at *at, const char *format, ...) {
  va_list args;
  va_start(args, format);
  struct diag *diag = diag_has_room(list, severity) ? make(list, at, format, args) : NULL;
  va_end(args);
  list->by_severity[severity]++;
  if (!diag) {
    list->dropped++;
    return;
  }
  diag->severity = severity;
  diag->code = code;
  append(list, diag);
}

void diag_take(struct diag_list *list, struct diag_list *from, enum diag_severity most) {
  for (int severity = DIAG_FATAL; severity >= DIAG_INFORMATION; severity--)
    list->by_severity[severity > (int)most ? (int)most : severity] += from->by_severity[severity];
  list->dropped += from->dropped;
  for (struct diag *diag = from->first, *next; diag; diag = next) {
    next = diag->next;
    if (diag->severity > most) diag->severity = most;
    if (diag_has_room(list, diag->severity))
      append(list, diag);
    else
      list->dropped++;
  }
  diag_list_init(from, from->arena);
}

/* --- one line of text --- */

/* As HL7's validator says it. */
static void add_profile(const struct diag *diag, struct buf *out) {
  if (!diag->profile.len) return;
  buf_add_text(out, " (defined in ");
  buf_add_str(out, diag->profile);
  buf_add_char(out, ')');
}

static void add_column(const struct diag *diag, struct buf *out) {
  if (!diag->column.len) return;
  buf_add_text(out, " (column ");
  buf_add_str(out, diag->column);
  buf_add_char(out, ')');
}

void diag_render_text(const struct diag *diag, struct buf *out) {
  if (diag->file.len) {
    buf_add_str(out, diag->file);
    if (diag->line) buf_printf(out, ":%u:%u", diag->line, diag->col);
    buf_add_text(out, ": ");
  } else if (diag->line) {
    buf_printf(out, "%u:%u: ", diag->line, diag->col);
  }
  buf_printf(out, "%s %s: ", diag_severity_name(diag->severity), diag_code_name(diag->code));
  buf_add_str(out, diag->message);
  add_column(diag, out);
  if (diag->path.len) {
    buf_add_text(out, " [");
    buf_add_str(out, diag->path);
    buf_add_char(out, ']');
  }
  add_profile(diag, out);
}

void diag_render_validator(const struct diag *diag, struct buf *out) {
  static const char *const names[] = {"Information", "Warning", "Error", "Fatal"};
  struct str where = diag->path.len ? diag->path : diag->file.len ? diag->file : STR("(document)");
  buf_printf(out, "  %s @ ", names[diag->severity]);
  buf_add_str(out, where);
  if (diag->line && diag->column.len && diag->path.len)
    buf_printf(out, " (%.*s, line %u, col %u)", STR_ARG(diag->file), diag->line, diag->col);
  else if (diag->line)
    buf_printf(out, " (line %u, col %u)", diag->line, diag->col);
  buf_add_text(out, ": ");
  buf_add_str(out, diag->message);
  add_column(diag, out);
  add_profile(diag, out);
}
