/* head.c - request line, header fields and query, byte by byte: what is not exactly in the grammar is refused. */
#include "console/head.h"

#include "console/console.h"

/* --- characters --- */

static bool is_alpha(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static bool is_token(char c) {
  return is_alpha(c) || is_digit(c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token_word(struct str word) {
  for (size_t i = 0; i < word.len; i++)
    if (!is_token(word.ptr[i])) return false;
  return word.len > 0;
}

static char lower(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool console_same_word(struct str a, struct str b) {
  if (a.len != b.len) return false;
  for (size_t i = 0; i < a.len; i++)
    if (lower(a.ptr[i]) != lower(b.ptr[i])) return false;
  return true;
}

/* --- where it ends --- */

int console_head_end(struct str bytes, size_t *from, size_t *end, const char **fault) {
  *end = 0;
  for (size_t i = *from; i < bytes.len; i++) {
    unsigned char c = (unsigned char)bytes.ptr[i];
    bool after_cr = i > 0 && bytes.ptr[i - 1] == '\r';
    *from = i + 1;
    if (i >= CONSOLE_HEAD_MAX) {
      *fault = "the head is too large";
      return 431;
    }
    if (after_cr != (c == '\n') || (c < ' ' && c != '\r' && c != '\n' && c != '\t') || c == 0x7f) {
      *fault = "lines end with CR LF, and no other control characters are allowed";
      return 400;
    }
    if (c != '\n' || i < 3 || bytes.ptr[i - 2] != '\n') continue;
    *end = i + 1;
    return 0;
  }
  return 0;
}

/* --- request line --- */

static int refuse(struct console_head *head, int status, const char *fault) {
  head->fault = fault;
  return status;
}

/* Visible ASCII without those that RFC 3986 leaves out: what a browser or proxy might read in another way. */
static bool is_target(struct str target) {
  for (size_t i = 0; i < target.len; i++) {
    char c = target.ptr[i];
    if (c <= ' ' || c >= 0x7f || strchr("\"#<>\\^`{|}", c)) return false;
  }
  return target.len > 0 && target.ptr[0] == '/';
}

static int parse_line(struct str line, struct console_head *head) {
  size_t first = str_find_char(line, ' ', 0);
  size_t second = first == SIZE_MAX ? SIZE_MAX : str_find_char(line, ' ', first + 1);
  if (second == SIZE_MAX) return refuse(head, 400, "the request line has three parts");
  struct str target = str_slice(line, first + 1, second), version = str_slice(line, second + 1, line.len);
  head->method = str_slice(line, 0, first);
  if (!is_token_word(head->method)) return refuse(head, 400, "the method is no word");
  if (target.len > CONSOLE_TARGET_MAX) return refuse(head, 414, "the target is too long");
  if (!is_target(target)) return refuse(head, 400, "the target is a path and a query in plain characters");
  if (!str_is(version, "HTTP/1.1"))
    return str_starts(version, STR("HTTP/")) && version.len == 8
               ? refuse(head, 505, "HTTP/1.1 is spoken here")
               : refuse(head, 400, "the request line ends with HTTP/1.1");
  size_t mark = str_find_char(target, '?', 0);
  head->path = str_slice(target, 0, mark == SIZE_MAX ? target.len : mark);
  if (mark != SIZE_MAX) head->query = str_slice(target, mark + 1, target.len);
  return 0;
}

/* --- fields --- */

static const char *const names[CONSOLE_FIELDS] = {
    "Host",          "Content-Length", "Transfer-Encoding", "Content-Type", "Content-Encoding",
    "Authorization", "Origin",         "Sec-Fetch-Site",    "Expect",       "Accept"};

static bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

static int parse_field(struct str line, struct console_head *head) {
  if (is_blank(line.ptr[0])) return refuse(head, 400, "a header field goes on in a second line");
  size_t colon = str_find_char(line, ':', 0);
  if (colon == SIZE_MAX || !is_token_word(str_slice(line, 0, colon)))
    return refuse(head, 400, "a header field is a name, a colon directly behind it, and a value");
  size_t from = colon + 1, to = line.len;
  while (from < to && is_blank(line.ptr[from]))
    from++;
  while (to > from && is_blank(line.ptr[to - 1]))
    to--;
  for (size_t i = 0; i < CONSOLE_FIELDS; i++) {
    if (!console_same_word(str_slice(line, 0, colon), str_of(names[i]))) continue;
    bool twice = head->fields[i].ptr != NULL;
    if (twice && i != FIELD_ACCEPT) return refuse(head, 400, "a header field stands twice");
    if (!twice) head->fields[i] = str_make(line.ptr + from, to - from);
  }
  return 0;
}

static int parse_length(struct console_head *head) {
  struct str length = head->fields[FIELD_CONTENT_LENGTH];
  head->length = -1;
  if (head->fields[FIELD_TRANSFER_ENCODING].ptr)
    return length.ptr ? refuse(head, 400, "Content-Length and Transfer-Encoding exclude each other")
                      : refuse(head, 411, "a body is sent with its Content-Length");
  if (!length.ptr) return 0;
  for (size_t i = 0; i < length.len; i++)
    if (!is_digit(length.ptr[i])) return refuse(head, 400, "Content-Length is a number");
  if (length.len == 0) return refuse(head, 400, "Content-Length is a number");
  if (length.len > 18 || !str_to_int64(length, &head->length)) return refuse(head, 413, "the body is too large");
  return 0;
}

static int parse_expect(struct console_head *head) {
  struct str expect = head->fields[FIELD_EXPECT];
  head->expects = console_same_word(expect, STR("100-continue"));
  return expect.ptr && !head->expects ? refuse(head, 417, "only 100-continue can be expected") : 0;
}

static int parse_meaning(struct console_head *head) {
  int status = parse_length(head);
  if (status == 0) status = parse_expect(head);
  if (status == 0 && !head->fields[FIELD_HOST].ptr) status = refuse(head, 400, "Host is missing");
  if (status == 0 && head->fields[FIELD_CONTENT_ENCODING].ptr)
    status = refuse(head, 415, "bodies are sent as they are, not packed");
  return status;
}

int console_head_parse(struct str text, struct console_head *out) {
  *out = (struct console_head){0};
  size_t at = 0, fields = 0;
  int status = 0;
  for (bool first = true; status == 0; first = false) {
    size_t end = str_find(text, STR("\r\n"), at);
    if (end == SIZE_MAX) return refuse(out, 400, "the head has no end");
    struct str line = str_slice(text, at, end);
    at = end + 2;
    if (first) {
      status = parse_line(line, out);
      continue;
    }
    if (line.len == 0) break;
    status = ++fields > CONSOLE_FIELDS_MAX ? refuse(out, 431, "too many header fields") : parse_field(line, out);
  }
  return status ? status : parse_meaning(out);
}

/* --- query --- */

static int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  return lower(c) >= 'a' && lower(c) <= 'f' ? lower(c) - 'a' + 10 : -1;
}

/* False when it is not percent-encoded UTF-8 without control characters. */
static bool decode(struct str text, struct arena *arena, struct str *out) {
  char *bytes = arena_alloc(arena, text.len + 1);
  size_t len = 0;
  if (!bytes) return false;
  for (size_t i = 0; i < text.len; i++) {
    char c = text.ptr[i];
    if (c == '%') {
      if (text.len - i < 3 || hex_value(text.ptr[i + 1]) < 0 || hex_value(text.ptr[i + 2]) < 0) return false;
      c = (char)(hex_value(text.ptr[i + 1]) * 16 + hex_value(text.ptr[i + 2]));
      i += 2;
    }
    if ((unsigned char)c < ' ' || c == 0x7f) return false;
    bytes[len++] = c;
  }
  bytes[len] = 0;
  *out = str_make(bytes, len);
  return utf8_invalid_at(*out) == SIZE_MAX;
}

static bool is_allowed(struct str name, const char *allowed) {
  struct str rest = str_of(allowed);
  while (rest.len) {
    size_t space = str_find_char(rest, ' ', 0);
    size_t len = space == SIZE_MAX ? rest.len : space;
    if (str_eq(name, str_slice(rest, 0, len))) return true;
    rest = str_slice(rest, len + (space != SIZE_MAX), rest.len);
  }
  return false;
}

static const char *add_parameter(struct str part, const char *allowed, struct arena *arena,
                                 struct console_query *out) {
  size_t equals = str_find_char(part, '=', 0);
  struct str name = str_slice(part, 0, equals == SIZE_MAX ? part.len : equals);
  if (equals == SIZE_MAX || !is_allowed(name, allowed)) return "a parameter that this path does not have";
  if (console_query_get(out, arena_str(arena, name).ptr).ptr) return "a parameter stands twice";
  if (out->count == CONSOLE_QUERY_MAX) return "too many parameters";
  out->names[out->count] = name;
  if (!decode(str_slice(part, equals + 1, part.len), arena, &out->values[out->count]))
    return "a parameter's value is not percent-encoded UTF-8";
  out->count++;
  return NULL;
}

int console_query_parse(struct str query, const char *allowed, struct arena *arena, struct console_query *out,
                        const char **fault) {
  *out = (struct console_query){0};
  *fault = NULL;
  for (size_t at = 0; at < query.len && !*fault;) {
    size_t end = str_find_char(query, '&', at);
    if (end == SIZE_MAX) end = query.len;
    *fault = add_parameter(str_slice(query, at, end), allowed, arena, out);
    at = end + 1;
  }
  return *fault ? 400 : 0;
}

struct str console_query_get(const struct console_query *query, const char *name) {
  for (size_t i = 0; name && i < query->count; i++)
    if (str_is(query->names[i], name)) return query->values[i];
  return (struct str){0};
}

/* --- media types --- */

bool console_type_is(struct str value, const char *type) {
  size_t semicolon = str_find_char(value, ';', 0);
  struct str name = str_trim(str_slice(value, 0, semicolon == SIZE_MAX ? value.len : semicolon));
  if (!console_same_word(name, str_of(type))) return false;
  if (semicolon == SIZE_MAX) return true;
  struct str parameter = str_trim(str_slice(value, semicolon + 1, value.len));
  return console_same_word(parameter, STR("charset=utf-8")) ||
         console_same_word(parameter, STR("charset=\"utf-8\""));
}
