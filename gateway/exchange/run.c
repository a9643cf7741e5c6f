/* run.c - one Bundle to one server: transactions and batches by parts, or resource by resource. */
#include "exchange/internal.h"

struct str exchange_key(const struct exchange_job *job, size_t index) {
  struct str key = job->plan.entries[index].key;
  return str_starts(key, STR("patient/")) ? STR("patient") : key;
}

static void leave_others(struct exchange_job *job) {
  for (size_t i = 0; i < job->plan.entry_count; i++)
    job->known[i].leave = job->items[i].state != EXCHANGE_WAITING;
}

enum status exchange_make(struct exchange_job *job, size_t part, struct tree_node **bundle) {
  leave_others(job);
  return bundle_part_make(job->bundle, &job->plan, part, job->known, bundle);
}

enum status exchange_digest(const struct exchange_job *job, size_t index, struct str *out) {
  enum { CHARS = 64, MOST_TAKE = 2 << 10 };
  char hex[CHARS + 1];
  const struct bundle_entry *entry = &job->plan.entries[index];
  struct str read = entry->resource;
  struct buf text;
  buf_init(&text, LIMIT_TEXT_BYTES);
  if (!read.len && buf_reserve(&text, MOST_TAKE)) tree_write_json(tree_find(entry->entry, "resource"), NULL, &text);
  enum status status = text.error;
  if (status == STATUS_OK) sha256_hex(read.len ? read : buf_str(&text), hex);
  buf_release(&text);
  if (status != STATUS_OK) return status;
  *out = arena_str(job->arena, str_make(hex, CHARS));
  return out->ptr ? STATUS_OK : STATUS_NOMEM;
}

/* --- one try at a part --- */

/* What came of it. */
struct trial {
  struct delivery_answer answer; /* of the last request */
  unsigned repeated;             /* how often it was sent before */
  bool passing;                  /* something failed for a passing cause */
  const char *fault;             /* the answer cannot be read: why */
};

/* Entries answer in the order of the request; a location of another type says that they do not. */
static bool fits(const struct bundle_entry *entry, const struct delivery_entry *answer) {
  struct str location = answer->location;
  return location.len == 0 || (str_starts(location, entry->type) && location.len > entry->type.len &&
                               location.ptr[entry->type.len] == '/');
}

static size_t list_sent(const struct exchange_job *job, size_t part, size_t *sent) {
  size_t count = 0;
  for (size_t i = bundle_part_begin(&job->plan, part); i < job->plan.part_ends[part]; i++)
    if (!job->known[i].leave) sent[count++] = i;
  return count;
}

/* Nothing is known of what was sent: it is sent again where that does no harm, else, and when that did not
 * help, looked for. */
static void lose(struct exchange_job *job, const size_t *sent, size_t count, struct trial *trial) {
  bool look = job->bundle->shape->look_first ||
              (trial->repeated && trial->answer.phase == DELIVERY_SENDING) ||
              trial->answer.verdict == DELIVERY_SETTLE || trial->answer.verdict == DELIVERY_COMPARE;
  for (size_t i = 0; i < count; i++)
    job->items[sent[i]].look |= look;
  trial->passing = true;
}

static enum status read_answer(struct exchange_job *job, const size_t *sent, size_t count,
                               struct trial *trial) {
  struct delivery_entry *entries = ARENA_ARRAY(job->arena, struct delivery_entry, count + 1);
  if (!entries) return STATUS_NOMEM;
  trial->fault =
      delivery_read_response(trial->answer.root, job->destination->base, count, job->arena, entries);
  for (size_t i = 0; i < count && !trial->fault; i++)
    if (!fits(&job->plan.entries[sent[i]], &entries[i]))
      trial->fault = "an entry of the answer names another resource type than was sent";
  if (trial->fault) lose(job, sent, count, trial);
  for (size_t i = 0; i < count && !trial->fault; i++)
    trial->passing |= exchange_settle(job, sent[i], &entries[i]);
  return STATUS_OK;
}

static bool is_single(const struct exchange_job *job) {
  return job->bundle->shape->submit == BUNDLE_SINGLE;
}

/* One request for one resource, after its entry's own. */
static enum status make_single(struct exchange_job *job, size_t part, struct delivery_request *request) {
  struct tree_node *bundle = NULL;
  enum status status = exchange_make(job, part, &bundle);
  if (status != STATUS_OK) return status;
  const struct tree_node *entry = tree_find(bundle, "entry");
  const struct tree_node *wanted = entry ? tree_find(entry, "request") : NULL;
  const struct tree_node *resource = entry ? tree_find(entry, "resource") : NULL;
  if (!wanted || !resource) return STATUS_INVALID;
  request->method = str_is(tree_text(wanted, "method"), "PUT") ? "PUT" : "POST";
  request->path = arena_concat(job->arena, STR("/"), tree_text(wanted, "url"));
  request->if_none_exist = tree_text(wanted, "ifNoneExist");
  request->if_match = tree_text(wanted, "ifMatch");
  return request->path.ptr ? tree_write_text(resource, job->arena, &request->body) : STATUS_NOMEM;
}

/* What waits in a part. CONFLICT: something lacks a reference that it must have. */
static enum status make_request(struct exchange_job *job, size_t part, struct delivery_request *request) {
  *request = (struct delivery_request){.method = "POST",
                                       .repeatable = job->bundle->shape->idempotency != BUNDLE_SEARCH_FIRST};
  if (is_single(job)) return make_single(job, part, request);
  leave_others(job);
  return bundle_part_write(job->bundle, &job->plan, part, job->known, &request->body);
}

static void settle_single(struct exchange_job *job, size_t index, const struct delivery_request *request,
                          struct trial *trial) {
  struct delivery_entry done;
  delivery_read_single(&trial->answer, job->destination->base, str_slice(request->path, 1, request->path.len),
                       job->arena, &done);
  trial->passing |= exchange_settle(job, index, &done);
}

/* A request that failed as a whole. */
static enum status fail_whole(struct exchange_job *job, const size_t *sent, size_t count,
                              struct trial *trial) {
  enum delivery_verdict verdict = trial->answer.verdict;
  if (verdict == DELIVERY_HOLD) return exchange_failure(job, &trial->answer);
  if (verdict != DELIVERY_PARK) {
    lose(job, sent, count, trial);
    return STATUS_OK;
  }
  exchange_note_worst(job, exchange_failure(job, &trial->answer));
  for (size_t i = 0; i < count; i++) {
    job->items[sent[i]].state = EXCHANGE_REFUSED;
    job->items[sent[i]].answer.status = trial->answer.status;
  }
  return STATUS_OK;
}

/* Sends what waits in a part, once. A status that is not OK stops the delivery. */
static enum status try_part(struct exchange_job *job, size_t part, const struct delivery_request *request,
                            struct trial *trial) {
  size_t *sent = ARENA_ARRAY(job->arena, size_t, job->plan.entry_count + 1);
  if (!sent) return STATUS_NOMEM;
  size_t count = list_sent(job, part, sent);
  enum status status = job->channel->send(job->channel->context, request, job->arena, &trial->answer);
  if (status != STATUS_OK) return status;
  job->retry_after_ms = trial->answer.retry_after_ms;
  job->settling = delivery_may_be_at_work(&trial->answer);
  if (trial->answer.verdict != DELIVERY_DONE) return fail_whole(job, sent, count, trial);
  if (!is_single(job)) return read_answer(job, sent, count, trial);
  settle_single(job, sent[0], request, trial);
  return STATUS_OK;
}

/* --- what waits --- */

static bool is_down(enum exchange_state state) {
  return state == EXCHANGE_REFUSED || state == EXCHANGE_FAILED || state == EXCHANGE_HELD_BACK ||
         state == EXCHANGE_UNTRIED;
}

static bool blocks(const struct exchange_job *job, size_t target) {
  const struct exchange_item *item = &job->items[target];
  bool patient = job->bundle->shape->require[BUNDLE_PATIENT_ON_SERVER] &&
                 str_is(job->plan.entries[target].type, "Patient");
  return is_down(item->state) || (patient && item->state == EXCHANGE_ABSENT);
}

/* It waits for what began the trouble. */
static void hold_back(struct exchange_job *job, size_t index, size_t target) {
  const struct exchange_item *cause = &job->items[target];
  job->items[index].state = EXCHANGE_HELD_BACK;
  job->items[index].waits_for = cause->state == EXCHANGE_HELD_BACK ? cause->waits_for : target;
}

/* Entries of a part stand in the order of dependency, so one pass is enough. */
static void hold_back_part(struct exchange_job *job, size_t from, size_t to) {
  for (size_t i = from; i < to; i++) {
    const struct bundle_entry *entry = &job->plan.entries[i];
    for (size_t t = 0; t < entry->target_count && job->items[i].state == EXCHANGE_WAITING; t++)
      if (entry->targets[t] != i && blocks(job, entry->targets[t])) hold_back(job, i, entry->targets[t]);
  }
}

/* Something must refer to what is not there, and the destination takes no logical reference. */
static void hold_back_incomplete(struct exchange_job *job, size_t from, size_t to) {
  for (size_t i = from; i < to; i++) {
    const struct bundle_entry *entry = &job->plan.entries[i];
    for (size_t t = 0; t < entry->target_count && job->items[i].state == EXCHANGE_WAITING; t++)
      if (job->known[entry->targets[t]].absent) hold_back(job, i, entry->targets[t]);
  }
}

static size_t count_waiting(const struct exchange_job *job, size_t from, size_t to) {
  size_t count = 0;
  for (size_t i = from; i < to; i++)
    count += job->items[i].state == EXCHANGE_WAITING;
  return count;
}

static bool is_about_destination(enum status status) {
  return status == STATUS_UNAVAILABLE || status == STATUS_DENIED || status == STATUS_CONFIG ||
         status == STATUS_RETRY || status == STATUS_NOMEM;
}

/* An entry about which the server gives no clear word goes no further; a server that gives none at all ends
 * it. */
static enum status look_waiting(struct exchange_job *job, size_t from, size_t to) {
  for (size_t i = from; i < to; i++) {
    struct exchange_item *item = &job->items[i];
    if (item->state != EXCHANGE_WAITING || !item->look) continue;
    enum status status = exchange_look(job, i);
    if (is_about_destination(status)) return status;
    if (status == STATUS_OK) continue;
    item->state = EXCHANGE_REFUSED;
    exchange_note_worst(job, status);
  }
  return STATUS_OK;
}

/* --- a part, with its repetitions --- */

static enum status report_fault(struct exchange_job *job, const char *why) {
  struct source source = source_make(job->destination->name, (struct str){0});
  struct diag_at at = {.source = &source};
  diag_error(job->diags, DIAG_DELIVERY_RESPONSE, &at, "%s; sending again is safe", why);
  return STATUS_RETRY; /* what happened is not known */
}

static void report_entry(struct exchange_job *job, size_t index) {
  struct source source = source_make(job->destination->name, (struct str){0});
  struct diag_at at = {.source = &source, .path = job->plan.entries[index].type};
  const struct delivery_entry *answer = &job->items[index].answer;
  bool conflict = answer->verdict == DELIVERY_COMPARE;
  diag_error(job->diags, conflict ? DIAG_DELIVERY_REFUSED : DIAG_DELIVERY_UNAVAILABLE, &at,
             "%.*s: HTTP status %ld%s%.*s; %s", STR_ARG(exchange_key(job, index)), answer->status,
             answer->outcome.len ? ": " : "", STR_ARG(answer->outcome),
             conflict ? "the server holds something else" : "sending again is safe");
  exchange_note_worst(job, conflict ? STATUS_CONFLICT : STATUS_RETRY);
}

/* The repetitions are used up. A request that failed as a whole stops the delivery, an entry only what refers
 * to it. */
static enum status give_up(struct exchange_job *job, size_t from, size_t to, const struct trial *trial) {
  bool whole = trial->answer.verdict != DELIVERY_DONE, conflict = trial->answer.verdict == DELIVERY_COMPARE;
  enum status status = STATUS_OK;
  if (trial->fault)
    status = report_fault(job, trial->fault);
  else if (whole)
    status = exchange_failure(job, &trial->answer);
  for (size_t i = from; i < to; i++) {
    if (job->items[i].state != EXCHANGE_WAITING) continue;
    job->items[i].state = EXCHANGE_FAILED;
    if (whole || trial->fault)
      job->items[i].answer.status = trial->answer.status;
    else
      report_entry(job, i);
  }
  if (status != STATUS_OK) exchange_note_worst(job, status);
  return conflict ? STATUS_OK : status;
}

/* *any: something waits, and the request for it is made. */
static enum status prepare(struct exchange_job *job, size_t part, struct delivery_request *request, bool *any) {
  size_t from = bundle_part_begin(&job->plan, part), to = job->plan.part_ends[part];
  *any = false;
  hold_back_part(job, from, to);
  enum status status = look_waiting(job, from, to);
  if (status == STATUS_OK) hold_back_part(job, from, to);
  if (status == STATUS_OK) status = exchange_decide(job, part);
  if (status == STATUS_CONFLICT) {
    hold_back_incomplete(job, from, to);
    status = exchange_decide(job, part);
  }
  if (status != STATUS_OK || !count_waiting(job, from, to)) return status;
  status = make_request(job, part, request);
  if (status == STATUS_CONFLICT) {
    hold_back_incomplete(job, from, to);
    if (!count_waiting(job, from, to)) return STATUS_OK;
    status = make_request(job, part, request);
  }
  *any = status == STATUS_OK;
  return status;
}

static enum status send_part(struct exchange_job *job, size_t part) {
  size_t from = bundle_part_begin(&job->plan, part), to = job->plan.part_ends[part];
  for (unsigned repeated = 0;;) {
    struct trial trial = {.repeated = repeated};
    struct delivery_request request;
    bool any;
    enum status status = prepare(job, part, &request, &any);
    if (status != STATUS_OK || !any) return status;
    status = try_part(job, part, &request, &trial);
    if (status != STATUS_OK || !count_waiting(job, from, to)) return status;
    bool over = repeated == job->destination->retries || job->retry_after_ms > EXCHANGE_LONGEST_MS;
    if (trial.passing && over) return give_up(job, from, to, &trial);
    if (trial.passing) exchange_wait(job, ++repeated);
  }
}

/* --- the whole --- */

static enum status begin(struct exchange_job *job, struct tree_node *bundle) {
  enum status status = bundle_plan_make(job->bundle, bundle, &job->plan);
  if (status != STATUS_OK) return status;
  job->known = ARENA_ARRAY(job->arena, struct bundle_known, job->plan.entry_count + 1);
  job->items = ARENA_ARRAY(job->arena, struct exchange_item, job->plan.entry_count + 1);
  job->retry_after_ms = -1;
  if (!job->known || !job->items) return STATUS_NOMEM;
  for (size_t i = 0; i < job->plan.entry_count; i++)
    job->items[i].look = job->plan.entries[i].look || job->look_first;
  return job->channel->planned ? job->channel->planned(job->channel->context, job) : STATUS_OK;
}

/* A type that the credential does not open is no reason to stop: what is not found is named by identifier. */
static enum status look_up_one(struct exchange_job *job, size_t index) {
  struct diag_list *diags = job->diags, found;
  struct exchange_item *item = &job->items[index];
  diag_list_init(&found, job->arena);
  job->diags = &found;
  enum status status = exchange_look(job, index);
  job->diags = diags;
  bool stop = is_about_destination(status) && job->last_status != 403 && job->last_status != 404 &&
              job->last_status != 405;
  diag_take(diags, &found, stop ? DIAG_FATAL : DIAG_WARNING);
  if (stop) return status;
  item->state = item->theirs ? EXCHANGE_REFERRED : EXCHANGE_ABSENT;
  job->known[index].absent = !item->theirs;
  return STATUS_OK;
}

/* What is only read. */
static enum status look_up(struct exchange_job *job) {
  enum status status = STATUS_OK;
  for (size_t i = 0; i < job->plan.lookup_count && status == STATUS_OK; i++)
    status = look_up_one(job, i);
  return status;
}

/* One finding for each cause, not for each that waits. */
static void report_waiting(struct exchange_job *job, size_t target) {
  struct source source = source_make(job->destination->name, (struct str){0});
  struct diag_at at = {.source = &source, .path = job->plan.entries[target].type};
  bool absent = job->items[target].state == EXCHANGE_ABSENT;
  size_t count = 0;
  for (size_t i = 0; i < job->plan.entry_count; i++)
    count += job->items[i].state == EXCHANGE_HELD_BACK && job->items[i].waits_for == target;
  if (!count) return;
  diag_error(job->diags, DIAG_DELIVERY_WAITS, &at, "%zu resource%s not sent: %s to %.*s, which %s", count,
             count == 1 ? " is" : "s are", count == 1 ? "it refers" : "they refer",
             STR_ARG(exchange_key(job, target)), absent ? "the server does not hold" : "was not stored");
  exchange_note_worst(job, STATUS_CONFLICT);
}

static void leave_untried(struct exchange_job *job) {
  for (size_t i = 0; i < job->plan.entry_count; i++)
    if (job->items[i].state == EXCHANGE_WAITING) job->items[i].state = EXCHANGE_UNTRIED;
}

static void show_progress(const struct exchange_job *job, size_t part) {
  if (job->channel->progress) job->channel->progress(job->channel->context, part, job->plan.part_count);
}

enum status exchange_run(struct exchange_job *job, struct tree_node *bundle) {
  enum status status = begin(job, bundle);
  if (status != STATUS_OK) return status;
  status = look_up(job);
  for (size_t part = 0; status == STATUS_OK && part < job->plan.part_count; part++) {
    show_progress(job, part);
    status = send_part(job, part);
  }
  show_progress(job, job->plan.part_count);
  if (status != STATUS_OK) exchange_note_worst(job, status);
  leave_untried(job);
  for (size_t i = 0; i < job->plan.entry_count; i++)
    report_waiting(job, i);
  if (job->destination->read_back) exchange_read_back(job);
  return job->worst;
}

static bool is_held(const struct exchange_item *item) {
  if (item->kept == EXCHANGE_DISCARDED) return false;
  return item->state == EXCHANGE_STORED || item->state == EXCHANGE_SAME;
}

size_t exchange_stored(const struct exchange_job *job) {
  size_t stored = 0;
  for (size_t i = 0; job->items && i < job->plan.entry_count; i++)
    stored += is_held(&job->items[i]);
  return stored;
}

size_t exchange_unchanged(const struct exchange_job *job) {
  size_t count = 0;
  for (size_t i = 0; job->items && i < job->plan.entry_count; i++)
    count += job->items[i].state == EXCHANGE_SAME;
  return count;
}

size_t exchange_kept(const struct exchange_job *job, enum exchange_kept kept) {
  size_t count = 0;
  for (size_t i = 0; job->items && i < job->plan.entry_count; i++)
    count += job->items[i].kept == kept;
  return count;
}
