/*
 * charset.c - bytes of a message to UTF-8 by what MSH-18 declares, and back. HL7 table 0211. Conversion is iconv's;
 * what this file adds is doubt: whether the bytes are what is declared.
 */
#include <errno.h>
#include <iconv.h>
#include <stdio.h>
#include "hl7v2/internal.h"

enum family { ASCII, UTF8, SINGLE /* ISO 8859 */, SEVERAL, UTF16, UTF32 };

struct charset {
  const char *name;    /* in table 0211, or as it is written in the field */
  const char *is;      /* the name of the table */
  const char *convert; /* iconv's; of UTF-16 and UTF-32 without the byte order */
  enum family family;
};

static const struct charset charsets[] = {
    {"ASCII", "ASCII", "ASCII", ASCII},
    {"ISO IR6", "ASCII", "ASCII", ASCII},
    {"8859/1", "8859/1", "ISO-8859-1", SINGLE},
    {"8859/2", "8859/2", "ISO-8859-2", SINGLE},
    {"8859/3", "8859/3", "ISO-8859-3", SINGLE},
    {"8859/4", "8859/4", "ISO-8859-4", SINGLE},
    {"8859/5", "8859/5", "ISO-8859-5", SINGLE},
    {"8859/6", "8859/6", "ISO-8859-6", SINGLE},
    {"8859/7", "8859/7", "ISO-8859-7", SINGLE},
    {"8859/8", "8859/8", "ISO-8859-8", SINGLE},
    {"8859/9", "8859/9", "ISO-8859-9", SINGLE},
    {"8859/15", "8859/15", "ISO-8859-15", SINGLE},
    {"UNICODE UTF-8", "UNICODE UTF-8", "UTF-8", UTF8},
    {"UTF-8", "UNICODE UTF-8", "UTF-8", UTF8},
    {"UTF8", "UNICODE UTF-8", "UTF-8", UTF8},
    {"UNICODE", "UNICODE", "UTF-16", UTF16},
    {"UNICODE UTF-16", "UNICODE UTF-16", "UTF-16", UTF16},
    {"UNICODE UTF-32", "UNICODE UTF-32", "UTF-32", UTF32},
    {"ISO IR14", "ISO IR14", "ISO-2022-JP-3", SEVERAL},
    {"ISO IR87", "ISO IR87", "ISO-2022-JP-2", SEVERAL},
    {"ISO IR159", "ISO IR159", "ISO-2022-JP-2", SEVERAL},
    {"GB 18030-2000", "GB 18030-2000", "GB18030", SEVERAL},
    {"KS X 1001", "KS X 1001", "EUC-KR", SEVERAL},
    {"BIG-5", "BIG-5", "BIG5", SEVERAL},
};

static const struct charset *find(struct str name) {
  for (size_t i = 0; i < sizeof charsets / sizeof charsets[0]; i++)
    if (str_is(name, charsets[i].name)) return &charsets[i];
  return NULL;
}

/* --- what is there --- */

struct decoding {
  const struct source *source;
  struct str bytes; /* without a mark */
  size_t mark;      /* bytes of the mark */
  struct arena *arena;
  struct diag_list *diags;
  struct hl7v2_text *out;
};

static enum status refuse(const struct decoding *d, size_t offset, const char *what, struct str name) {
  struct diag_at at = {.source = d->source, .offset = offset};
  struct str quoted = diag_value(d->arena, name); /* MSH-18 */
  diag_error(d->diags, DIAG_HL7V2_CHARSET, &at, "%s%s%.*s", what, name.len ? ": " : "", STR_ARG(quoted));
  return STATUS_INVALID;
}

static size_t first_high(struct str bytes) {
  size_t at = 0;
  for (uint64_t word; at + 8 <= bytes.len; at += 8) {
    memcpy(&word, bytes.ptr + at, 8);
    if (word & UINT64_C(0x8080808080808080)) break;
  }
  while (at < bytes.len && (unsigned char)bytes.ptr[at] < 0x80)
    at++;
  return at < bytes.len ? at : SIZE_MAX;
}

/* Behind the mark; the width of characters. */
static int take_mark(struct decoding *d) {
  struct hl7v2_width as = hl7v2_width_of(d->bytes);
  d->mark = as.mark;
  d->bytes = str_slice(d->bytes, as.mark, d->bytes.len);
  d->out->bom = as.mark;
  d->out->little_endian = as.little;
  return as.width;
}

static bool is_japanese(const struct charset *charset) {
  return strncmp(charset->convert, "ISO-2022", 8) == 0;
}

/* An ESC that iconv takes for a character could begin something else when it is written again. */
static bool has_stray_escape(const struct charset *charset, struct str text) {
  return is_japanese(charset) && text.len && memchr(text.ptr, 0x1B, text.len);
}

/* --- iconv --- */

/* The charset's name for iconv. */
static void name_of(const struct charset *charset, bool little, char out[32]) {
  const char *order = charset->family < UTF16 ? "" : little ? "LE" : "BE";
  snprintf(out, 32, "%s%s", charset->convert, order);
}

static bool is_high(char c) {
  return (unsigned char)c >= 0x80;
}

/* Of UTF-8: where what is ASCII, or is not, ends. */
static size_t end_of_run(struct str text, size_t at) {
  bool high = is_high(text.ptr[at]);
  while (at < text.len && is_high(text.ptr[at]) == high)
    at++;
  return at;
}

/* All of it, then back to ASCII; false as iconv says. */
static bool convert_part(iconv_t how, struct str from, char **to, size_t *left, size_t *used) {
  char *in = (char *)(uintptr_t)from.ptr;
  size_t in_left = from.len, done = iconv(how, &in, &in_left, to, left);
  *used += from.len - in_left;
  if (done != 0 && done != (size_t)-1) errno = EILSEQ; /* it replaced something */
  if (done != 0) return false;
  return iconv(how, NULL, NULL, to, left) != (size_t)-1;
}

/* *stopped: bytes of `from` that were understood, if not all. `by_runs`: what is ASCII goes as ASCII: of a two-byte charset
   that has a tilde iconv would go on with that one, which is read as another character. */
static enum status convert(iconv_t how, struct str from, bool by_runs, size_t room, struct arena *arena, struct str *to,
                           size_t *stopped) {
  char *made = arena_alloc(arena, room), *at = made;
  size_t left = room;
  bool fine = true;
  if (!made) return STATUS_NOMEM;
  *stopped = 0;
  errno = 0;
  while (fine && *stopped < from.len)
    fine = convert_part(how, str_slice(from, *stopped, by_runs ? end_of_run(from, *stopped) : from.len), &at, &left, stopped);
  if (!fine) return errno == E2BIG ? STATUS_LIMIT : STATUS_INVALID;
  arena_shrink(arena, made, room, room - left);
  *to = str_make(made, room - left);
  return STATUS_OK;
}

static enum status decode_by(const struct decoding *d, const struct charset *charset) {
  char name[32];
  size_t stopped = 0, room = d->bytes.len * 3 + 16; /* two bytes of UTF-16 are three at most, one of ISO 8859 too */
  name_of(charset, d->out->little_endian, name);
  iconv_t how = iconv_open("UTF-8", name);
  if (how == (iconv_t)-1) return refuse(d, 0, "this machine cannot convert the charset", str_of(charset->is));
  enum status status = convert(how, d->bytes, false, room, d->arena, &d->out->text, &stopped);
  (void)iconv_close(how);
  if (status == STATUS_OK && has_stray_escape(charset, d->out->text)) status = STATUS_INVALID;
  if (status != STATUS_INVALID && status != STATUS_LIMIT) return status;
  return refuse(d, d->mark + stopped, "the text is not in the charset that it declares", str_of(charset->is));
}

/* --- declared and actual --- */

static enum status take_as_is(struct decoding *d, const struct charset *charset) {
  size_t at = charset->family == ASCII ? first_high(d->bytes) : utf8_invalid_at(d->bytes);
  d->out->text = d->bytes;
  if (at == SIZE_MAX) return STATUS_OK;
  return refuse(d, d->mark + at, "the text is not in the charset that it declares", str_of(charset->is));
}

static enum status take_single(struct decoding *d, const struct charset *charset) {
  size_t at = first_high(d->bytes);
  d->out->text = d->bytes;
  if (at == SIZE_MAX) return STATUS_OK;
  if (utf8_invalid_at(d->bytes) == SIZE_MAX) return refuse(d, d->mark + at, "the text is UTF-8 and declares", str_of(charset->is));
  for (size_t i = at; i < d->bytes.len; i++)
    if ((unsigned char)d->bytes.ptr[i] >= 0x80 && (unsigned char)d->bytes.ptr[i] < 0xA0)
      return refuse(d, d->mark + i, "the text is in a charset of Windows and declares", str_of(charset->is));
  return decode_by(d, charset);
}

static enum status take_as(struct decoding *d, const struct charset *charset) {
  d->out->charset = str_of(charset->is);
  if (d->out->bom && charset->family != UTF8)
    return refuse(d, 0, "the byte order mark says UTF-8, and the message declares", str_of(charset->is));
  switch (charset->family) {
  case ASCII:
  case UTF8:
    return take_as_is(d, charset);
  case SINGLE:
    return take_single(d, charset);
  case UTF16:
  case UTF32:
    return refuse(d, 0, "the text is not in the charset that it declares", str_of(charset->is));
  case SEVERAL:
    break;
  }
  return decode_by(d, charset);
}

size_t hl7v2_from_single(struct str name, struct str bytes, char *to, size_t room) {
  const struct charset *charset = find(name);
  if (!charset || charset->family != SINGLE) return 0;
  for (size_t i = 0; i < bytes.len; i++)
    if (is_high(bytes.ptr[i]) && (unsigned char)bytes.ptr[i] < 0xA0) return 0;
  iconv_t how = iconv_open("UTF-8", charset->convert);
  if (how == (iconv_t)-1) return 0;
  char *in = (char *)(uintptr_t)bytes.ptr, *at = to;
  size_t in_left = bytes.len, left = room;
  bool fine = iconv(how, &in, &in_left, &at, &left) == 0;
  (void)iconv_close(how);
  return fine ? (size_t)(at - to) : 0;
}

/* --- MSH-18 --- */

/* Behind a run of two-byte characters, which may hold any byte: ESC $ … up to the next ESC. */
static size_t behind_run(struct str bytes, size_t at) {
  if (bytes.ptr[at] != 0x1B || at + 1 >= bytes.len || bytes.ptr[at + 1] != '$') return at + 1;
  for (at += 2; at < bytes.len && bytes.ptr[at] != 0x1B && !hl7v2_is_line_end(bytes.ptr[at]);)
    at++;
  return at;
}

static struct str declared(struct str bytes, char *repetition) {
  size_t from = 0, to, fields = 1;
  while (from < bytes.len && (hl7v2_is_line_end(bytes.ptr[from]) || bytes.ptr[from] == ' '))
    from++;
  if (bytes.len < from + 9) return (struct str){0};
  char field = bytes.ptr[from + 3];
  *repetition = bytes.ptr[from + 5];
  for (from += 4; from < bytes.len && fields < 17 && !hl7v2_is_line_end(bytes.ptr[from]);) {
    fields += bytes.ptr[from] == field;
    from = behind_run(bytes, from);
  }
  if (fields < 17) return (struct str){0};
  for (to = from; to < bytes.len && bytes.ptr[to] != field && !hl7v2_is_line_end(bytes.ptr[to]);)
    to++;
  return str_slice(bytes, from, to);
}

/* Of several repetitions: ASCII and Japanese ones, which ISO 2022 brings together. */
static const struct charset *find_all(struct str names, char repetition) {
  const struct charset *found = NULL;
  bool several = hl7v2_part(names, repetition, 2).ptr != NULL;
  struct str name;
  for (size_t i = 1; (name = hl7v2_part(names, repetition, i)).ptr; i++) {
    const struct charset *charset = find(name.len ? str_trim(name) : STR("ASCII"));
    if (!charset || (several && charset->family != ASCII && !is_japanese(charset))) return NULL;
    if (!found || found->family == ASCII || str_is(name, "ISO IR14")) found = charset;
  }
  return found;
}

static enum status decode_wide(struct decoding *d, int width) {
  const struct charset *as = find(width == 2 ? STR("UNICODE") : STR("UNICODE UTF-32")), *said;
  char repetition = 0;
  enum status status = decode_by(d, as);
  if (status != STATUS_OK) return status;
  struct str name = declared(d->out->text, &repetition);
  said = find(str_trim(name));
  d->out->charset = str_of(said ? said->is : as->is);
  if (said && said->family == as->family) return STATUS_OK;
  return refuse(d, 0, width == 2 ? "the text is UTF-16 and declares" : "the text is UTF-32 and declares", name.len ? name : STR("nothing"));
}

enum status hl7v2_decode(const struct source *bytes, struct str fallback, struct arena *arena, struct diag_list *diags,
                         struct hl7v2_text *out) {
  struct decoding d = {bytes, bytes->text, 0, arena, diags, out};
  char repetition = 0;
  *out = (struct hl7v2_text){.charset = STR("ASCII")};
  int width = take_mark(&d);
  if (width > 1) return decode_wide(&d, width);
  struct str names = str_trim(declared(d.bytes, &repetition));
  const struct charset *charset = names.len ? find_all(names, repetition) : find(STR("ASCII"));
  if (!charset) return refuse(&d, 0, "MSH-18 names a charset that is not known", names);
  size_t high = names.len ? SIZE_MAX : first_high(d.bytes);
  if (high != SIZE_MAX || (out->bom && !names.len)) {
    charset = find(out->bom ? STR("UNICODE UTF-8") : fallback);
    if (!charset) return refuse(&d, d.mark + high, "MSH-18 is empty, which means ASCII, and the text is not", (struct str){0});
  }
  if (out->bom && charset->family == ASCII) charset = find(STR("UNICODE UTF-8"));
  return take_as(&d, charset);
}

/* --- back --- */

enum status hl7v2_encode(const struct hl7v2_text *text, struct arena *arena, struct str *bytes) {
  const struct charset *charset = find(text->charset);
  char name[32];
  size_t stopped;
  if (!charset) return STATUS_NOT_FOUND;
  struct str from = text->bom ? arena_concat(arena, STR("\xEF\xBB\xBF"), text->text) : text->text;
  if (text->bom && !from.ptr) return STATUS_NOMEM;
  *bytes = from;
  if (charset->family == UTF8) return STATUS_OK;
  if (charset->family == ASCII) return first_high(from) == SIZE_MAX ? STATUS_OK : STATUS_INVALID;
  if (has_stray_escape(charset, from)) return STATUS_INVALID;
  name_of(charset, text->little_endian, name);
  iconv_t how = iconv_open(name, "UTF-8");
  if (how == (iconv_t)-1) return STATUS_NOT_FOUND;
  enum status status = convert(how, from, is_japanese(charset), from.len * 4 + 16, arena, bytes, &stopped);
  (void)iconv_close(how);
  return status;
}
