/* fn_string.c - functions on strings (FHIRPath 2.0.0 section 5.6 and later additions); positions count
 * characters. */
#include "fhirpath/internal.h"

enum { TEXT_MAX = 1 << 20 };

/* Input and first argument as strings: 1 both are there, 0 one is empty, -1 failed. */
static int two_strings(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                       struct str *text, struct str *argument) {
  bool has;
  if (!fp_input_string(e, call, in, text, &has)) return -1;
  int given = fp_argument_string(e, call, 0, argument);
  return given <= 0 ? given : has;
}

/* Byte offset of a character; text.len when there are fewer. */
static size_t byte_of(struct str text, int64_t character) {
  size_t at = 0;
  while (character-- > 0 && at < text.len)
    utf8_next(text, &at);
  return at;
}

/* --- searching */

bool fp_fn_index_of(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                    struct fp_list *out) {
  struct str text, part;
  int has = two_strings(e, call, in, &text, &part);
  if (has <= 0) return has == 0;
  size_t at = part.len ? str_find(text, part, 0) : 0;
  return fp_push_integer(e, out, at == SIZE_MAX ? -1 : (int64_t)utf8_count(str_slice(text, 0, at)));
}

bool fp_fn_last_index_of(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                         struct fp_list *out) {
  struct str text, part;
  int has = two_strings(e, call, in, &text, &part);
  if (has <= 0) return has == 0;
  size_t last = SIZE_MAX;
  for (size_t at = part.len ? str_find(text, part, 0) : SIZE_MAX; at != SIZE_MAX;
       at = str_find(text, part, at + 1))
    last = at;
  if (part.len == 0) last = text.len;
  return fp_push_integer(e, out, last == SIZE_MAX ? -1 : (int64_t)utf8_count(str_slice(text, 0, last)));
}

bool fp_fn_starts_with(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                       struct fp_list *out) {
  struct str text, part;
  int has = two_strings(e, call, in, &text, &part);
  return has <= 0 ? has == 0 : fp_push_boolean(e, out, part.len == 0 || str_starts(text, part));
}

bool fp_fn_ends_with(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                     struct fp_list *out) {
  struct str text, part;
  int has = two_strings(e, call, in, &text, &part);
  return has <= 0 ? has == 0 : fp_push_boolean(e, out, part.len == 0 || str_ends(text, part));
}

bool fp_fn_contains(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                    struct fp_list *out) {
  struct str text, part;
  int has = two_strings(e, call, in, &text, &part);
  return has <= 0 ? has == 0 : fp_push_boolean(e, out, part.len == 0 || str_find(text, part, 0) != SIZE_MAX);
}

/* --- cutting */

bool fp_fn_substring(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                     struct fp_list *out) {
  struct str text;
  int64_t start, length = INT64_MAX;
  bool has;
  if (!fp_input_string(e, call, in, &text, &has)) return false;
  int given = fp_argument_integer(e, call, 0, &start);
  if (given <= 0 || !has) return given >= 0;
  if (fp_argument_integer(e, call, 1, &length) < 0) return false;
  if (start < 0) return true;
  size_t from = byte_of(text, start);
  if (from >= text.len) return true;
  struct str rest = str_slice(text, from, text.len);
  size_t to = length >= (int64_t)rest.len ? rest.len : byte_of(rest, length);
  return fp_push_string(e, out, str_slice(rest, 0, to));
}

bool fp_fn_length(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                  struct fp_list *out) {
  struct str text;
  bool has;
  if (!fp_input_string(e, call, in, &text, &has)) return false;
  return !has || fp_push_integer(e, out, (int64_t)utf8_count(text));
}

bool fp_fn_to_chars(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                    struct fp_list *out) {
  struct str text;
  bool has;
  if (!fp_input_string(e, call, in, &text, &has)) return false;
  for (size_t at = 0; has && at < text.len;) {
    size_t from = at;
    utf8_next(text, &at);
    if (!fp_push_string(e, out, str_slice(text, from, at))) return false;
  }
  return true;
}

bool fp_fn_trim(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in, struct fp_list *out) {
  struct str text;
  bool has;
  if (!fp_input_string(e, call, in, &text, &has)) return false;
  return !has || fp_push_string(e, out, str_trim(text));
}

bool fp_fn_split(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                 struct fp_list *out) {
  struct str text, separator;
  int has = two_strings(e, call, in, &text, &separator);
  if (has <= 0) return has == 0;
  if (separator.len == 0) return fp_fn_to_chars(e, call, in, out);
  for (size_t from = 0;;) {
    size_t at = str_find(text, separator, from);
    if (!fp_push_string(e, out, str_slice(text, from, at == SIZE_MAX ? text.len : at))) return false;
    if (at == SIZE_MAX) return true;
    from = at + separator.len;
  }
}

bool fp_fn_join(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in, struct fp_list *out) {
  struct str separator = {0}, joined;
  struct fp_value value;
  struct buf buf;
  bool first = true;
  if (fp_argument_string(e, call, 0, &separator) < 0) return false;
  buf_init(&buf, TEXT_MAX);
  for (size_t i = 0; i < in->count; i++) {
    fp_load(&in->items[i], &value);
    if (value.kind == FP_NODE && in->items[i].node->kind == TREE_NULL) continue;
    if (value.kind != FP_STRING) {
      buf_release(&buf);
      return fp_fail(e, call, DIAG_FHIRPATH_EVALUATION, "join() takes Strings");
    }
    if (!first) buf_add_str(&buf, separator);
    buf_add_str(&buf, value.string);
    first = false;
  }
  bool none = first;
  if (!fp_take_buf(e, &buf, &joined)) return false;
  return none || fp_push_string(e, out, joined);
}

/* --- changing */

static bool change(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in, bool upper,
                   struct fp_list *out) {
  struct str text, result;
  bool has;
  if (!fp_input_string(e, call, in, &text, &has)) return false;
  if (!has) return true;
  return fp_change_case(e, call, text, upper, &result) && fp_push_string(e, out, result);
}

bool fp_fn_upper(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                 struct fp_list *out) {
  return change(e, call, in, true, out);
}

bool fp_fn_lower(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                 struct fp_list *out) {
  return change(e, call, in, false, out);
}

/* An empty pattern stands around every character. */
static void surround(struct str text, struct str by, struct buf *out) {
  buf_add_str(out, by);
  for (size_t at = 0; at < text.len;) {
    size_t from = at;
    utf8_next(text, &at);
    buf_add_str(out, str_slice(text, from, at));
    buf_add_str(out, by);
  }
}

static void replace_all(struct str text, struct str pattern, struct str by, struct buf *out) {
  for (size_t from = 0;;) {
    size_t at = str_find(text, pattern, from);
    buf_add_str(out, str_slice(text, from, at == SIZE_MAX ? text.len : at));
    if (at == SIZE_MAX) return;
    buf_add_str(out, by);
    from = at + pattern.len;
  }
}

bool fp_fn_replace(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                   struct fp_list *out) {
  struct str text, pattern, by, result;
  struct buf buf;
  int has = two_strings(e, call, in, &text, &pattern);
  if (has <= 0) return has == 0;
  has = fp_argument_string(e, call, 1, &by);
  if (has <= 0) return has == 0;
  buf_init(&buf, TEXT_MAX);
  if (pattern.len == 0)
    surround(text, by, &buf);
  else
    replace_all(text, pattern, by, &buf);
  return fp_take_buf(e, &buf, &result) && fp_push_string(e, out, result);
}
