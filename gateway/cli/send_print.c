/* send_print.c - what became of each resource of a record, as lines or as JSON. */
#include "cli/send_print.h"
#include "cli/json.h"

static const struct {
  const char *word, *sentence;
} states[] = {
    [EXCHANGE_WAITING] = {"not-sent", "not sent"},
    [EXCHANGE_STORED] = {"stored", "stored"},
    [EXCHANGE_SAME] = {"unchanged", "unchanged"},
    [EXCHANGE_REFERRED] = {"referred", "referred to"},
    [EXCHANGE_ABSENT] = {"absent", "not at the server: named by identifier"},
    [EXCHANGE_FIXED] = {"fixed", "exists, cannot be corrected by interface"},
    [EXCHANGE_REFUSED] = {"refused", "refused"},
    [EXCHANGE_FAILED] = {"failed", "not confirmed"},
    [EXCHANGE_HELD_BACK] = {"held-back", "not sent: waits for"},
    [EXCHANGE_UNTRIED] = {"not-sent", "not sent"},
};
static const char *const kept_words[] = {"", "kept", "changed", "discarded", "unreadable"};

static const char *word_of(const struct exchange_item *item) {
  return item->state == EXCHANGE_STORED && item->answer.status == 201 ? "created" : states[item->state].word;
}

static struct str names_of(const struct exchange_job *job, const struct exchange_item *item) {
  struct str all = STR("");
  for (size_t i = 0; i < item->name_count; i++)
    all = arena_concat(job->arena, arena_concat(job->arena, all, i ? STR(", ") : STR("")), item->names[i]);
  return all;
}

/* The end of a line: where it stands, or why it does not. */
static struct str detail_of(const struct exchange_job *job, size_t index) {
  const struct exchange_item *item = &job->items[index];
  struct arena *arena = job->arena;
  struct str version = item->answer.version;
  switch (item->state) {
  case EXCHANGE_STORED:
    return arena_printf(arena, "%-8s %.*s%s%.*s", word_of(item), STR_ARG(job->known[index].location),
                        version.len ? " version " : "", STR_ARG(version));
  case EXCHANGE_SAME:
  case EXCHANGE_REFERRED:
    return arena_printf(arena, "%s %.*s", states[item->state].sentence, STR_ARG(job->known[index].location));
  case EXCHANGE_FIXED:
    return arena_printf(arena, "%s %.*s", states[item->state].sentence, STR_ARG(job->known[index].location));
  case EXCHANGE_HELD_BACK:
    return arena_printf(arena, "%s %.*s %.*s", states[item->state].sentence,
                        STR_ARG(job->plan.entries[item->waits_for].type),
                        STR_ARG(exchange_key(job, item->waits_for)));
  case EXCHANGE_REFUSED:
  case EXCHANGE_FAILED:
    if (item->answer.status)
      return arena_printf(arena, "%s (HTTP status %ld)", states[item->state].sentence, item->answer.status);
    break;
  case EXCHANGE_ABSENT:
    if (job->report && job->report->session_note)
      return arena_printf(arena, "%s, in the session note", states[item->state].sentence);
    break;
  default:
    break;
  }
  return str_of(states[item->state].sentence);
}

static void print_row(struct cli *cli, const struct exchange_job *job, size_t index) {
  const struct exchange_item *item = &job->items[index];
  struct str detail = diag_clean(job->arena, detail_of(job, index)), names = names_of(job, item); /* a version is the server's word */
  cli_printf(cli, "%-26.*s %-34.*s %.*s", STR_ARG(job->plan.entries[index].type),
             STR_ARG(exchange_key(job, index)), STR_ARG(detail));
  if (item->kept) cli_printf(cli, ", %s", kept_words[item->kept]);
  if (item->kept == EXCHANGE_CHANGED) cli_printf(cli, ": %.*s", STR_ARG(names));
  cli_printf(cli, "\n");
}

static void set(json_t *row, const char *name, struct str value) {
  (void)json_object_set_new(row, name, json_stringn(value.ptr ? value.ptr : "", value.len));
}

static struct str reason_of(const struct exchange_job *job, size_t index) {
  const struct exchange_item *item = &job->items[index];
  bool fine =
      item->state == EXCHANGE_STORED || item->state == EXCHANGE_SAME || item->state == EXCHANGE_REFERRED;
  return fine ? (struct str){0} : detail_of(job, index);
}

static void print_object(struct cli *cli, const struct exchange_job *job, size_t index) {
  const struct exchange_item *item = &job->items[index];
  bool stored =
      (item->state == EXCHANGE_STORED || item->state == EXCHANGE_SAME) && item->kept != EXCHANGE_DISCARDED;
  json_t *row = json_object(), *changed = json_array();
  set(row, "type", job->plan.entries[index].type);
  set(row, "key", exchange_key(job, index));
  (void)json_object_set_new(row, "status", json_integer(item->answer.status));
  (void)json_object_set_new(row, "stored", json_boolean(stored));
  set(row, "action", str_of(word_of(item)));
  set(row, "location", job->known[index].location);
  set(row, "version", item->answer.version);
  if (reason_of(job, index).len) set(row, "reason", reason_of(job, index));
  if (item->kept) set(row, "kept", str_of(kept_words[item->kept]));
  for (size_t i = 0; i < item->name_count; i++)
    (void)json_array_append_new(changed, json_stringn(item->names[i].ptr, item->names[i].len));
  if (item->name_count && item->state != EXCHANGE_SAME) (void)json_object_set(row, "differs", changed);
  json_decref(changed);
  cli_json_print_line(cli, row);
}

/* --- what did not go --- */

static const char *travels(const struct exchange_job *job, const struct bundle_left_out *left) {
  if (str_is(left->reason, "psychotherapy-note")) return "";
  return job->report->session_note ? ", in the session note" : "";
}

static void print_left_out(struct cli *cli, const struct exchange_job *job,
                           const struct bundle_left_out *left) {
  struct str key = str_starts(left->key, STR("patient/")) ? STR("patient") : left->key;
  const char *note = travels(job, left);
  if (!cli->json) {
    cli_printf(cli, "%-26.*s %-34.*s left out (%.*s)%s\n", STR_ARG(left->type), STR_ARG(key),
               STR_ARG(left->reason), note);
    return;
  }
  json_t *row = json_object();
  set(row, "type", left->type);
  set(row, "key", key);
  (void)json_object_set_new(row, "status", json_integer(0));
  (void)json_object_set_new(row, "stored", json_false());
  set(row, "action", STR("left-out"));
  set(row, "reason", left->reason);
  (void)json_object_set_new(row, "inSessionNote", json_boolean(*note != 0));
  cli_json_print_line(cli, row);
}

void send_print(struct cli *cli, const struct exchange_job *job) {
  for (size_t i = 0; job->items && i < job->plan.entry_count; i++)
    cli->json ? print_object(cli, job, i) : print_row(cli, job, i);
  for (size_t i = 0; job->report && i < job->report->left_out_count; i++)
    print_left_out(cli, job, &job->report->left_out[i]);
}
