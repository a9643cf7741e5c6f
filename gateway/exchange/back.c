/* back.c - read afterwards what a server kept: US Core lets it discard vital signs close in time. */
#include "exchange/internal.h"

static void say(struct exchange_job *job, size_t index, enum diag_severity severity, const char *what,
                struct str names) {
  struct source source = source_make(job->destination->name, (struct str){0});
  struct diag_at at = {.source = &source, .path = job->plan.entries[index].type};
  diag_add(job->diags, severity, DIAG_DELIVERY_NOT_KEPT, &at, "%.*s: %s%s%.*s",
           STR_ARG(exchange_key(job, index)), what, names.len ? ": " : "", STR_ARG(names));
  if (severity == DIAG_ERROR) exchange_note_worst(job, STATUS_CONFLICT);
}

/* What an Observation says, and of when. Other elements may be a matter of form. */
static bool is_vital_to_it(struct str name) {
  static const char *const begin[] = {"value",  "code",    "effective",       "component",
                                      "status", "subject", "dataAbsentReason"};
  for (size_t i = 0; i < sizeof begin / sizeof begin[0]; i++)
    if (str_starts(name, str_of(begin[i]))) return true;
  return false;
}

static void judge(struct exchange_job *job, size_t index, const struct tree_node *ours) {
  struct exchange_item *item = &job->items[index];
  bool grave = false;
  struct str all = STR("");
  item->name_count = bundle_compare(ours, item->theirs, false, item->names, EXCHANGE_NAMES);
  item->kept = item->name_count ? EXCHANGE_CHANGED : EXCHANGE_KEPT;
  for (size_t i = 0; i < item->name_count; i++) {
    grave |= is_vital_to_it(item->names[i]);
    all = arena_concat(job->arena, arena_concat(job->arena, all, i ? STR(", ") : STR("")), item->names[i]);
  }
  if (item->name_count)
    say(job, index, grave ? DIAG_ERROR : DIAG_WARNING, "the server holds it otherwise", all);
}

/* A server may take its time: it is looked for as often as a failure would be sent again. */
static void read_item(struct exchange_job *job, size_t index, const struct tree_node *ours) {
  struct exchange_item *item = &job->items[index];
  enum status status = exchange_look(job, index);
  for (unsigned number = 1; status == STATUS_OK && !item->theirs && number <= job->destination->retries;
       number++) {
    exchange_wait(job, number);
    status = exchange_look(job, index);
  }
  if (status != STATUS_OK) {
    item->kept = EXCHANGE_UNREADABLE;
    exchange_note_worst(job, status);
  } else if (!item->theirs) {
    item->kept = EXCHANGE_DISCARDED;
    say(job, index, DIAG_ERROR, "the server took it and does not hold it", (struct str){0});
  } else {
    judge(job, index, ours);
  }
}

static void read_part(struct exchange_job *job, size_t part) {
  struct tree_node *bundle = NULL;
  for (size_t i = 0; i < job->plan.entry_count; i++)
    job->known[i].leave = job->items[i].state != EXCHANGE_STORED;
  if (bundle_part_make(job->bundle, &job->plan, part, job->known, &bundle) != STATUS_OK) return;
  const struct tree_node *entry = tree_find(bundle, "entry");
  for (size_t i = bundle_part_begin(&job->plan, part); i < job->plan.part_ends[part] && entry; i++) {
    if (job->known[i].leave) continue;
    read_item(job, i, tree_find(entry, "resource"));
    entry = tree_next_same(entry);
  }
}

void exchange_read_back(struct exchange_job *job) {
  for (size_t part = 0; part < job->plan.part_count; part++)
    read_part(job, part);
}
