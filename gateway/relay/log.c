/* log.c - one event, one line: key=value or JSON. Values are words of the program, names of the
   configuration, numbers and digests; nothing of a record. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "relay/internal.h"

enum { LINE_MAX_BYTES = 4096 };

static const char *const levels[] = {"error", "warning", "info"};
/* sd-daemon(3): the priority before a line tells the journal how grave it is */
static const char *const priorities[] = {"<3>", "<4>", "<6>"};

static bool is_plain(struct str text) {
  for (size_t i = 0; i < text.len; i++) {
    char c = text.ptr[i];
    bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-_./:+", c);
    if (!plain || !c) return false;
  }
  return text.len > 0;
}

/* Each delivery has a line: printf takes longer for its numbers than all else of it. */
static void write_number(struct buf *line, int64_t number) {
  enum { DIGITS = 20 };
  char text[DIGITS + 1];
  size_t at = sizeof text;
  uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
  do {
    text[--at] = (char)('0' + left % 10);
    left /= 10;
  } while (left);
  if (number < 0) text[--at] = '-';
  buf_add(line, text + at, sizeof text - at);
}

static void write_value(struct buf *line, const struct relay_field *field, bool json) {
  if (!field->text.ptr)
    write_number(line, field->number);
  else if (!json && is_plain(field->text))
    buf_add_str(line, field->text);
  else
    buf_add_json(line, field->text); /* control characters and line ends are escaped */
}

static void write_json(struct buf *line, const char *level, const char *event, int64_t now,
                       const struct relay_field *fields, size_t count) {
  buf_printf(line, "{\"time\":%lld,\"level\":\"%s\",\"event\":\"%s\"", (long long)now, level, event);
  for (size_t i = 0; i < count; i++) {
    buf_printf(line, ",\"%s\":", fields[i].name);
    write_value(line, &fields[i], true);
  }
  buf_add_text(line, "}\n");
}

/* "2026-03-02T10:00:00.000Z ", RFC 3339; nothing of a year that is not told by four digits. */
static void write_time(struct buf *line, int64_t now) {
  char text[DATETIME_TEXT];
  size_t len = now < 0 ? 0 : datetime_write_ms(now, text);
  if (!len) return;
  buf_add(line, text, len);
  buf_add_char(line, ' ');
}

/* The journal knows when a line came. */
static void write_text(struct buf *line, const struct relay_log *log, enum relay_level level, const char *event,
                       const struct relay_field *fields, size_t count) {
  if (log->journal)
    buf_add_text(line, priorities[level]);
  else
    write_time(line, log->host->now_ms(log->host->context));
  buf_add_text(line, event);
  for (size_t i = 0; i < count; i++) {
    buf_add_char(line, ' ');
    buf_add_text(line, fields[i].name);
    buf_add_char(line, '=');
    write_value(line, &fields[i], false);
  }
  buf_add_char(line, '\n');
}

bool relay_log_is_journal(void) {
  const char *stream = getenv("JOURNAL_STREAM");
  unsigned long long device = 0, inode = 0;
  struct stat info;
  if (!stream || sscanf(stream, "%llu:%llu", &device, &inode) != 2 || fstat(STDERR_FILENO, &info) != 0) return false;
  return info.st_dev == device && info.st_ino == inode;
}

/* Room for a line: a reader that hangs must not stop the relay, and one that is only slow loses nothing. */
static bool has_room(const struct relay_log *log) {
  struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
  int wait = log->lost && *log->lost ? 0 : RELAY_LOG_WAIT_MS;
  return poll(&out, 1, wait) != 0;
}

/* In one call, so that lines do not mix; a log that cannot be written stops nobody. */
static void put(const struct relay_log *log, const char *bytes, size_t len, size_t lines) {
  bool fine = has_room(log) && write(STDERR_FILENO, bytes, len) >= 0;
  if (!fine && log->lost) *log->lost += lines;
}

void relay_log_flush(const struct relay_log *log) {
  struct relay_log_lines *lines = log->gathered;
  if (!lines || !lines->len) return;
  put(log, lines->bytes, lines->len, lines->count);
  lines->len = lines->count = 0;
}

/* A line of each delivery would cost two calls, and more than all else of it. */
static bool gather(const struct relay_log *log, const struct buf *line) {
  struct relay_log_lines *lines = log->gathered;
  if (!lines || line->len > sizeof lines->bytes) return false;
  if (line->len > sizeof lines->bytes - lines->len) relay_log_flush(log);
  memcpy(lines->bytes + lines->len, line->ptr, line->len);
  lines->len += line->len;
  lines->count++;
  return true;
}

static void put_line(const struct relay_log *log, enum relay_level level, const struct buf *line) {
  if (line->error != STATUS_OK) {
    if (log->lost) ++*log->lost;
    return;
  }
  bool waits = level == RELAY_INFO && !(log->lost && *log->lost);
  if (waits && gather(log, line)) return;
  relay_log_flush(log);
  put(log, line->ptr, line->len, 1);
}

/* Also when there is no memory: then above all it is to be told. */
static void write_line(const struct relay_log *log, enum relay_level level, const char *event,
               const struct relay_field *fields, size_t count) {
  char bytes[LINE_MAX_BYTES];
  struct buf line;
  buf_init_over(&line, bytes, sizeof bytes);
  if (log->json)
    write_json(&line, levels[level], event, log->host->now_ms(log->host->context), fields, count);
  else
    write_text(&line, log, level, event, fields, count);
  put_line(log, level, &line);
}

void relay_log(const struct relay_log *log, enum relay_level level, const char *event,
               const struct relay_field *fields, size_t count) {
  size_t lost = log->lost ? *log->lost : 0;
  if (lost && has_room(log)) {
    struct relay_field field = RELAY_NUMBER("lines", (int64_t)lost);
    *log->lost = 0;
    write_line(log, RELAY_WARNING, "log-lost", &field, 1);
    if (*log->lost) *log->lost = lost; /* not told: it is told later */
  }
  write_line(log, level, event, fields, count);
}

/* Of those that say that something was not read a message may have hundreds: a line for all of one code. */
static size_t count_like(const struct diag_list *diags, const struct diag *first) {
  size_t count = 0;
  for (const struct diag *diag = diags->first; diag; diag = diag->next) {
    bool like = diag->severity == DIAG_INFORMATION && diag->code == first->code;
    if (like && !count && diag != first) return 0; /* its line is written */
    count += like;
  }
  return count;
}

/* Of a message the field; of a table the heading, which its file has, and may be a value if the file has none. */
static bool may_name_column(const char *event) {
  return strcmp(event, "message-finding") == 0;
}

static void log_diag(const struct relay_log *log, const char *event, const struct diag *diag, size_t count, bool files) {
  struct relay_field fields[7];
  size_t used = 0;
  fields[used++] = RELAY_TEXT("code", str_of(diag_code_name(diag->code)));
  if (files) fields[used++] = RELAY_TEXT("file", diag->file.ptr ? diag->file : STR(""));
  if (diag->rule.len) fields[used++] = RELAY_TEXT("rule", diag->rule);
  if (diag->line) fields[used++] = RELAY_NUMBER("line", diag->line);
  if (diag->line) fields[used++] = RELAY_NUMBER("column", diag->col);
  if (diag->column.len && may_name_column(event)) fields[used++] = RELAY_TEXT("field", diag->column);
  if (count > 1) fields[used++] = RELAY_NUMBER("count", (int64_t)count);
  enum relay_level level = diag->severity >= DIAG_ERROR     ? RELAY_ERROR
                           : diag->severity == DIAG_WARNING ? RELAY_WARNING
                                                            : RELAY_INFO;
  relay_log(log, level, event, fields, used);
}

static void log_diags(const struct relay_log *log, const char *event, const struct diag_list *diags, bool files) {
  enum { MOST = 50 };
  size_t lines = 0, more = diags->dropped;
  for (const struct diag *diag = diags->first; diag; diag = diag->next) {
    size_t count = diag->severity == DIAG_INFORMATION ? count_like(diags, diag) : 1;
    if (!count) continue;
    if (lines++ < MOST)
      log_diag(log, event, diag, count, files);
    else
      more += count;
  }
  if (more) relay_log(log, RELAY_WARNING, event, (struct relay_field[]){RELAY_NUMBER("more", (int64_t)more)}, 1);
}

void relay_log_diags(const struct relay_log *log, const char *event, const struct diag_list *diags) {
  log_diags(log, event, diags, false);
}

void relay_log_faults(const struct relay_log *log, const char *event, const struct diag_list *diags) {
  log_diags(log, event, diags, true);
}
