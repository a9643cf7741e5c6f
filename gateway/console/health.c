/* health.c - whether the relay works: a word for who watches the process, and as JSON what else is not well. Everybody may ask:
 * strangers are told the word, without the store being asked, which may be at work. Nothing is of a record. */
#include "console/internal.h"

/* Of the media types of Accept, whatever their weights: without it, and for others, it is text. */
static bool wants_json(struct str accept) {
  for (size_t at = 0; at < accept.len;) {
    size_t comma = str_find_char(accept, ',', at), end = comma == SIZE_MAX ? accept.len : comma;
    size_t semicolon = str_find_char(str_slice(accept, at, end), ';', 0);
    struct str type = str_trim(str_slice(accept, at, semicolon == SIZE_MAX ? end : at + semicolon));
    if (console_same_word(type, STR("application/json"))) return true;
    at = end + 1;
  }
  return false;
}

static void add_troubles(const struct console *console, struct buf *out) {
  const struct console_params *params = &console->params;
  bool any = false;
  console_json_key(out, "destinations");
  buf_add_char(out, '[');
  for (size_t i = 0; i < params->destination_count - params->missing_count; i++) {
    struct console_trouble trouble = console_trouble_of(console, i);
    if (!trouble.word) continue;
    buf_add_text(out, any ? ",{" : "{");
    console_json_str(out, "name", params->destinations[i]);
    console_add_trouble(out, &trouble);
    buf_add_char(out, '}');
    any = true;
  }
  buf_add_char(out, ']');
}

static enum status add_numbers(const struct console *console, struct buf *out) {
  struct outbox_stats stats;
  enum status status = outbox_stats(console_outbox(console), (struct str){0}, &stats);
  if (status != STATUS_OK) return status;
  console_json_str(out, "full", str_of(stats.full ? stats.full : ""));
  console_json_int(out, "open", (int64_t)outbox_open_records(&stats));
  console_json_int(out, "parked", (int64_t)stats.by_state[OUTBOX_PARKED]);
  add_troubles(console, out);
  return STATUS_OK;
}

static enum status write_json(const struct console_reply *reply, struct str words, struct buf *out) {
  buf_add_char(out, '{');
  console_json_str(out, "status", words);
  enum status status = console_knows(reply) ? add_numbers(reply->console, out) : STATUS_OK;
  buf_add_text(out, "}\n");
  return status;
}

void console_get_health(struct console_reply *reply) {
  const struct console_hooks *hooks = &reply->console->params.hooks;
  struct buf words, body;
  buf_init(&words, 4 << 10);
  buf_init(&body, 64 << 10);
  bool fine = !hooks->healthy || hooks->healthy(hooks->context, &words), json = wants_json(reply->head.fields[FIELD_ACCEPT]);
  if (!words.len) buf_add_text(&words, fine ? "ok" : "not working");
  enum status status = json ? write_json(reply, buf_str(&words), &body) : STATUS_OK;
  if (!json) buf_printf(&body, "%.*s\n", STR_ARG(buf_str(&words)));
  buf_release(&words);
  if (status == STATUS_OK) {
    console_answer_as(reply, fine ? 200 : 503, json ? "application/json" : "text/plain; charset=utf-8", &body);
    return;
  }
  buf_release(&body);
  console_answer_status(reply, status);
}
