/*
 * diag.h - the one diagnostic type: what is wrong with data, where, and how to fix it.
 *
 * Every stage appends to a `struct diag_list`; the command line, the OperationOutcome writer and the console
 * render the same object. Messages never repeat a patient's values unless the caller decides so: a message
 * names the element and the rule, and quotes at most a code or word (QUOTED values are clipped to
 * DIAG_QUOTE_MAX bytes and made printable). What is quoted of a record goes through diag_value, so that a
 * place where not even a word may stand can do without (diag_hide_values).
 *
 * Severities say what the receiver may rely on:
 *
 *   information  worth knowing; nothing is missing
 *   warning      carried, but somebody should look (an unmapped word, a value travelling as text)
 *   error        the record, map or resource must not be used
 *   fatal        the text could not be read any further
 *
 * The list has a cap, and errors have one of their own: a thousand warnings do not hide why a record is refused. What comes after the
 * cap is counted in `dropped`, never silently lost.
 */
#ifndef KETLINK_BASE_DIAG_H
#define KETLINK_BASE_DIAG_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/source.h"
#include "base/str.h"

enum diag_severity { DIAG_INFORMATION, DIAG_WARNING, DIAG_ERROR, DIAG_FATAL };

/* Stable codes, see diag.def: DIAG_JSON_SYNTAX … */
enum diag_code {
#define DIAG(name, text, issue, help) DIAG_##name,
#include "base/diag.def"
#undef DIAG
  DIAG_CODE_COUNT
};

enum { DIAG_QUOTE_MAX = 64, DIAG_LIST_MAX = 1000 /* of errors, and as many again that are none */ };

/* Where: all parts optional. */
struct diag_at {
  const struct source *source; /* must outlive the list, or be NULL */
  size_t offset;               /* byte offset in source */
  struct str path;             /* element path with indices, e.g. Patient.name[0].given[1] */
  struct str expression;       /* the FHIRPath, rule or constraint it came from */
  struct str profile;          /* canonical of the profile that asks for it */
  struct str rule;             /* key of the constraint: obs-6 */
};

struct diag {
  struct diag *next;
  enum diag_severity severity;
  enum diag_code code;
  struct str message;
  struct str bare, bare_path; /* message and path with … in place of what diag_value marked */
  struct str file;
  uint32_t line, col; /* 0: unknown */
  struct str column;  /* heading of a table's column; empty: none */
  struct str path;
  struct str expression;
  struct str profile, rule;
};

struct diag_list {
  struct arena *arena; /* copies of all texts */
  struct diag *first, *last;
  size_t count;
  size_t errors; /* among `count`; diag_errors has also those that were dropped */
  size_t dropped;
  size_t by_severity[4];
  struct source_cursor cursor; /* private: where the last diagnostic was */
};

void diag_list_init(struct diag_list *list, struct arena *arena);
void diag_add(struct diag_list *list, enum diag_severity severity, enum diag_code code,
              const struct diag_at *at, const char *format, ...) __attribute__((format(printf, 5, 6)));
#define diag_error(list, code, at, ...) diag_add((list), DIAG_ERROR, (code), (at), __VA_ARGS__)
#define diag_warning(list, code, at, ...) diag_add((list), DIAG_WARNING, (code), (at), __VA_ARGS__)
#define diag_information(list, code, at, ...) diag_add((list), DIAG_INFORMATION, (code), (at), __VA_ARGS__)

/* Moves what `from` has to the end of `list`, none of it graver than `most`. Its texts stay where they are.
 */
void diag_take(struct diag_list *list, struct diag_list *from, enum diag_severity most);

/* Whether one more of this severity is kept and not only counted. */
static inline bool diag_has_room(const struct diag_list *list, enum diag_severity severity) {
  return (severity >= DIAG_ERROR ? list->errors : list->count - list->errors) < DIAG_LIST_MAX;
}
static inline size_t diag_errors(const struct diag_list *list) {
  return list->by_severity[DIAG_ERROR] + list->by_severity[DIAG_FATAL];
}
static inline bool diag_failed(const struct diag_list *list) {
  return diag_errors(list) != 0;
}

/* A value fit to be quoted in a message: clipped, control characters and quotes escaped. */
struct str diag_quote(struct arena *arena, struct str value);
/* The same of a record's value, or of what tells as much (the word nearest to it), for diag_add alone (its message and
   path): it is marked. */
struct str diag_value(struct arena *arena, struct str value);
/* Replaces each message and path by its bare one. */
void diag_hide_values(struct diag_list *list);
/* A copy in which what is not UTF-8 or would break a line is escaped: names of files and members are hostile
 * too. On failure ptr is NULL. */
struct str diag_clean(struct arena *arena, struct str text);

const char *
diag_severity_name(enum diag_severity severity);  /* "error" … as in OperationOutcome.issue.severity */
const char *diag_code_name(enum diag_code code);  /* "json-syntax" … */
const char *diag_code_issue(enum diag_code code); /* OperationOutcome.issue.code */
const char *diag_code_help(enum diag_code code);  /* how to fix it, one sentence */

/* One line: `file:line:col: error json-syntax: message (column HEADING) [path] (defined in PROFILE)`, parts that are unknown left out. No
 * line end. */
void diag_render_text(const struct diag *diag, struct buf *out);
/* As HL7's validator prints it: `  Error @ Patient.birthDate (line 3, col 14): message (defined in PROFILE)`.
 */
void diag_render_validator(const struct diag *diag, struct buf *out);
/* The whole list as a JSON array of objects with severity, code, message, file, line, column, heading, path,
 * expression, profile, rule. */
void diag_render_json(const struct diag_list *list, struct buf *out);
/* The whole list as a FHIR OperationOutcome (JSON text): file, line, column and, as message id, PROFILE#RULE
 * in the extensions that HL7's validator writes; what a profile asks for without a rule of its own is
 * PROFILE#code. `file` may be empty. */
void diag_render_outcome(const struct diag_list *list, struct str file, struct buf *out);

#endif
