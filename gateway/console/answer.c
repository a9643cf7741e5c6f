/* answer.c - what goes out: status line and fields, problems (RFC 9457), and JSON written member by member. */
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include "console/internal.h"

static const struct {
  int status;
  const char *reason;
} reasons[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
};

const char *console_reason(int status) {
  for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
    if (reasons[i].status == status) return reasons[i].reason;
  return "Answer";
}

/* A type with a line end in it would be a second header field. */
static struct str safe_type(struct str type) {
  for (size_t i = 0; i < type.len; i++)
    if (type.ptr[i] < ' ' || type.ptr[i] >= 0x7f) return STR("application/octet-stream");
  return type.len ? type : STR("application/octet-stream");
}

void console_write_answer(const struct console_reply *reply, int status, struct str type, struct str body,
                          int64_t retry_after, struct buf *out) {
  type = safe_type(type);
  buf_printf(out, "HTTP/1.1 %d %s\r\nContent-Type: %.*s\r\nContent-Length: %zu\r\n", status,
             console_reason(status), STR_ARG(type), body.len);
  buf_add_text(out, "X-Content-Type-Options: nosniff\r\n"
                    "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"
                    "Cross-Origin-Resource-Policy: same-origin\r\nReferrer-Policy: no-referrer\r\n"
                    "Cache-Control: no-store\r\nConnection: close\r\n");
  if (status == 401) buf_add_text(out, "WWW-Authenticate: Bearer\r\n");
  if (status == 405 && reply->allow) buf_printf(out, "Allow: %s\r\n", reply->allow);
  if (retry_after >= 0) buf_printf(out, "Retry-After: %lld\r\n", (long long)retry_after);
  buf_add_text(out, "\r\n");
  buf_add_str(out, body);
}

/* --- JSON --- */

void console_json_key(struct buf *out, const char *key) {
  if (out->len && out->ptr[out->len - 1] != '{') buf_add_char(out, ',');
  buf_add_json(out, str_of(key));
  buf_add_char(out, ':');
}

/* Labels come from elsewhere: what is not UTF-8 would make all of the answer unreadable. */
static void add_mended(struct buf *out, struct str value) {
  struct buf mended;
  buf_init(&mended, value.len * 3);
  for (size_t at = 0; at < value.len;)
    utf8_add(&mended, utf8_next(value, &at));
  buf_add_json(out, buf_str(&mended));
  if (mended.error != STATUS_OK) out->error = mended.error;
  buf_release(&mended);
}

void console_json_str(struct buf *out, const char *key, struct str value) {
  console_json_key(out, key);
  if (utf8_invalid_at(value) == SIZE_MAX)
    buf_add_json(out, value);
  else
    add_mended(out, value);
}

void console_json_int(struct buf *out, const char *key, int64_t value) {
  console_json_key(out, key);
  buf_printf(out, "%lld", (long long)value);
}

void console_json_bool(struct buf *out, const char *key, bool value) {
  console_json_key(out, key);
  buf_add_text(out, value ? "true" : "false");
}

void console_json_time(struct buf *out, const char *key, int64_t ms) {
  char text[DATETIME_TEXT];
  size_t len = ms <= 0 ? 0 : datetime_write_ms(ms, text);
  console_json_key(out, key);
  if (len)
    buf_add_json(out, str_make(text, len));
  else
    buf_add_text(out, "null");
}

/* --- whole answers --- */

static void answer_problem(struct console_reply *reply, int status, int64_t retry_after_seconds, const char *detail) {
  struct buf body;
  buf_init(&body, 8192);
  buf_add_char(&body, '{');
  console_json_str(&body, "title", str_of(console_reason(status)));
  console_json_int(&body, "status", status);
  console_json_str(&body, "detail", str_of(detail));
  buf_add_text(&body, "}\n");
  console_answer(reply, status, STR("application/problem+json"), buf_str(&body), retry_after_seconds);
  buf_release(&body);
}

void console_problem(struct console_reply *reply, int status, const char *format, ...) {
  char detail[512] = "";
  va_list args;
  va_start(args, format);
  (void)vsnprintf(detail, sizeof detail, format, args);
  va_end(args);
  answer_problem(reply, status, status == 503 ? 1 : -1, detail);
}

void console_problem_later(struct console_reply *reply, int64_t retry_after_seconds, const char *words) {
  answer_problem(reply, 503, retry_after_seconds, words);
}

void console_answer_as(struct console_reply *reply, int status, const char *type, struct buf *body) {
  if (body->error == STATUS_OK)
    console_answer(reply, status, str_of(type), buf_str(body), -1);
  else
    console_problem(reply, body->error == STATUS_LIMIT ? 500 : 503, "the answer is too large");
  buf_release(body);
}

void console_answer_json(struct console_reply *reply, struct buf *body) {
  buf_add_char(body, '\n');
  console_answer_as(reply, 200, "application/json", body);
}

void console_answer_status(struct console_reply *reply, enum status status) {
  switch (status) {
  case STATUS_NOT_FOUND:
    console_problem(reply, 404, "there is no such record");
    return;
  case STATUS_CONFLICT:
    console_problem(reply, 409, "the record is not in a state in which this can be done");
    return;
  case STATUS_INVALID:
    console_problem(reply, 500, "what is stored is damaged");
    return;
  case STATUS_NOMEM:
    console_problem(reply, 503, "there is no memory");
    return;
  case STATUS_LIMIT:
    console_problem(reply, 503, "the disk of the store is full: nothing was changed");
    return;
  default:
    console_problem(reply, 503, "the store does not work");
  }
}
