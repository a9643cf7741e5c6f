/* check.c - whether events of the trail that were exported are as the store wrote them: it has the key of their chain. Nothing is changed. */
#include <jansson.h>
#include "console/internal.h"

static const char members[] =
    "the body has events, a list of objects with the numbers number, at and record and the texts what, actor, reason and chain, and the text before";

static bool take_text(const json_t *object, const char *key, struct str *out) {
  const json_t *value = json_object_get(object, key);
  if (!json_is_string(value)) return false;
  *out = str_make(json_string_value(value), json_string_length(value));
  return true;
}

static bool take_number(const json_t *object, const char *key, int64_t *out) {
  const json_t *value = json_object_get(object, key);
  *out = json_integer_value(value);
  return json_is_integer(value);
}

static bool take_event(const json_t *object, struct outbox_event *out) {
  enum { MEMBERS = 7 };
  *out = (struct outbox_event){0};
  return json_object_size(object) == MEMBERS && take_number(object, "number", &out->number) && take_number(object, "at", &out->at) &&
         take_number(object, "record", &out->record) && take_text(object, "what", &out->what) && take_text(object, "actor", &out->actor) &&
         take_text(object, "reason", &out->reason) && take_text(object, "chain", &out->chain);
}

/* False: it is not what is taken here. The texts are the body's. */
static bool take_all(const json_t *body, struct outbox_event *events, size_t most, size_t *count, struct str *before) {
  const json_t *list = json_object_get(body, "events");
  *count = json_array_size(list);
  if (!json_is_array(list) || *count > most || !take_text(body, "before", before) || json_object_size(body) != 2) return false;
  for (size_t i = 0; i < *count; i++)
    if (!take_event(json_array_get(list, i), &events[i])) return false;
  return true;
}

static void answer(struct console_reply *reply, size_t count, size_t sound) {
  struct buf out;
  buf_init(&out, 4096);
  buf_add_char(&out, '{');
  console_json_int(&out, "events", (int64_t)count);
  console_json_int(&out, "sound", (int64_t)sound);
  buf_add_char(&out, '}');
  console_answer_json(reply, &out);
}

void console_post_check(struct console_reply *reply) {
  enum { MOST = 100 };
  struct str text = buf_str(&reply->body), before = {0};
  size_t count = 0, sound = 0;
  struct outbox_event *events = ARENA_ARRAY(reply->arena, struct outbox_event, MOST);
  json_t *body = text.len && !memchr(text.ptr, 0, text.len) ? json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL) : NULL;
  bool known = events && take_all(body, events, MOST, &count, &before);
  enum status status = known ? outbox_audit_check(console_outbox(reply->console), before, events, count, &sound) : STATUS_OK;
  json_decref(body);
  if (!events)
    console_answer_status(reply, STATUS_NOMEM);
  else if (!known || status == STATUS_INVALID)
    console_problem(reply, 400, "%s", members);
  else
    answer(reply, count, sound);
}
