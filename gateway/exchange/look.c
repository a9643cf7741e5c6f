/* look.c - what a server holds already: searched by identifier, read by id, compared with what is to be sent.
 */
#include "exchange/internal.h"

void exchange_wait(struct exchange_job *job, unsigned number) {
  int64_t wait = job->destination->retry_wait_ms << (number - 1);
  if (job->retry_after_ms > wait) wait = job->retry_after_ms;
  if (wait > EXCHANGE_LONGEST_MS) wait = EXCHANGE_LONGEST_MS;
  if (job->settling && job->destination->settle_ms > wait) wait = job->destination->settle_ms;
  job->settling = false;
  job->channel->wait(job->channel->context, wait);
}

enum status exchange_get(struct exchange_job *job, struct str path, struct delivery_answer *out) {
  struct delivery_request request = {.method = "GET", .path = arena_concat(job->arena, STR("/"), path)};
  enum status status = request.path.ptr ? STATUS_OK : STATUS_NOMEM;
  for (unsigned attempt = 0; status == STATUS_OK; attempt++) {
    if (attempt) exchange_wait(job, attempt);
    status = job->channel->send(job->channel->context, &request, job->arena, out);
    job->retry_after_ms = out->retry_after_ms;
    job->last_status = out->status;
    if (out->verdict != DELIVERY_RETRY || attempt == job->destination->retries) break;
    if (out->retry_after_ms > EXCHANGE_LONGEST_MS) break;
  }
  return status;
}

/* A server's resource, bound. NULL: it cannot be read. */
static struct tree_node *bind(struct exchange_job *job, const struct delivery_answer *answer) {
  struct diag_list ignored;
  struct source source = source_make(job->destination->name, answer->body);
  diag_list_init(&ignored, job->arena);
  if (!answer->root || definitions_bind(job->bundle->definitions, NULL, answer->root, &source, job->arena, &ignored) != STATUS_OK)
    return NULL;
  return answer->root;
}

static bool has_pair(const struct tree_node *first, struct str system, const char *name, struct str value) {
  for (const struct tree_node *node = first; node; node = tree_next_same(node))
    if (str_eq(tree_text(node, "system"), system) && str_eq(tree_text(node, name), value)) return true;
  return false;
}

/* A server that does not know a parameter may ignore it, and give what it likes. */
static bool is_match(const struct bundle_search *search, const struct tree_node *resource) {
  const struct tree_node *meta = tree_find(resource, "meta");
  if (search->by_tag) return meta && has_pair(tree_find(meta, "tag"), search->system, "code", search->value);
  return has_pair(tree_find(resource, "identifier"), search->system, "value", search->value);
}

struct found {
  size_t matches, others;
  const struct tree_node *resource;
};

static void sort_out(const struct bundle_search *search, struct str type, const struct tree_node *bundle,
                     struct found *found) {
  for (const struct tree_node *entry = tree_find(bundle, "entry"); entry; entry = tree_next_same(entry)) {
    const struct tree_node *resource = tree_find(entry, "resource");
    if (!resource || !str_eq(tree_text(resource, "resourceType"), type)) continue;
    bool match = is_match(search, resource);
    found->matches += match;
    found->others += !match;
    if (match && !found->resource) found->resource = resource;
  }
}

static enum status complain(struct exchange_job *job, size_t index, enum diag_code code, const char *what) {
  struct source source = source_make(job->destination->name, (struct str){0});
  struct diag_at at = {.source = &source, .path = job->plan.entries[index].type};
  diag_error(job->diags, code, &at, "%.*s: %s", STR_ARG(exchange_key(job, index)), what);
  return STATUS_CONFLICT;
}

static enum status take(struct exchange_job *job, size_t index, const struct tree_node *resource, bool own) {
  struct exchange_item *item = &job->items[index];
  const struct tree_node *meta = tree_find(resource, "meta");
  struct str id = tree_text(resource, "id");
  if (!delivery_is_id(id))
    return complain(job, index, DIAG_DELIVERY_RESPONSE, "the server found it and does not tell its id");
  item->theirs = resource;
  item->own = own;
  job->known[index].location =
      arena_printf(job->arena, "%.*s/%.*s", STR_ARG(job->plan.entries[index].type), STR_ARG(id));
  struct str version = meta ? tree_text(meta, "versionId") : (struct str){0};
  job->known[index].version = delivery_is_id(version) ? version : (struct str){0};
  return job->known[index].location.ptr ? STATUS_OK : STATUS_NOMEM;
}

static enum status search_once(struct exchange_job *job, size_t index, const struct bundle_search *search) {
  struct delivery_answer answer = {0};
  struct found found = {0};
  struct str url = bundle_search_url(&job->plan.entries[index], search, job->arena);
  enum status status = url.ptr ? exchange_get(job, url, &answer) : STATUS_NOMEM;
  if (status != STATUS_OK) return status;
  if (answer.verdict != DELIVERY_DONE) return exchange_failure(job, &answer);
  const struct tree_node *bundle = bind(job, &answer);
  if (!bundle || !str_is(tree_text(bundle, "resourceType"), "Bundle"))
    return complain(job, index, DIAG_DELIVERY_RESPONSE, "the answer to a search is not a Bundle");
  sort_out(search, job->plan.entries[index].type, bundle, &found);
  if (found.matches > 1)
    return complain(job, index, DIAG_DELIVERY_REFUSED, "the server holds several resources of this identity");
  if (found.matches == 0 && found.others)
    return complain(job, index, DIAG_DELIVERY_REFUSED,
                    "the server ignores the search by identifier: whether it is there cannot be told");
  return found.resource ? take(job, index, found.resource, search->own) : STATUS_OK;
}

/* By its id, where that is known: an answer without a body told it. */
static enum status read_known(struct exchange_job *job, size_t index) {
  struct delivery_answer answer = {0};
  enum status status = exchange_get(job, job->known[index].location, &answer);
  if (status != STATUS_OK) return status;
  if (answer.status == 404 || answer.status == 410) return STATUS_OK;
  if (answer.verdict != DELIVERY_DONE) return exchange_failure(job, &answer);
  const struct tree_node *resource = bind(job, &answer);
  if (!resource || !str_eq(tree_text(resource, "resourceType"), job->plan.entries[index].type))
    return complain(job, index, DIAG_DELIVERY_RESPONSE, "the server's answer to a read is another resource");
  return take(job, index, resource, true);
}

enum status exchange_look(struct exchange_job *job, size_t index) {
  const struct bundle_entry *entry = &job->plan.entries[index];
  struct exchange_item *item = &job->items[index];
  enum status status = STATUS_OK;
  item->theirs = NULL;
  if (job->known[index].location.len)
    status = read_known(job, index);
  else
    for (size_t i = 0; i < entry->search_count && status == STATUS_OK && !item->theirs; i++)
      status = search_once(job, index, &entry->searches[i]);
  item->looked = status == STATUS_OK;
  item->look = false;
  return status;
}

/* --- what follows from it --- */

static void fix(struct exchange_job *job, size_t index) {
  struct source source = source_make(job->destination->name, (struct str){0});
  struct diag_at at = {.source = &source, .path = job->plan.entries[index].type};
  struct exchange_item *item = &job->items[index];
  struct str all = STR("");
  for (size_t i = 0; i < item->name_count; i++)
    all = arena_concat(job->arena, arena_concat(job->arena, all, i ? STR(", ") : STR("")), item->names[i]);
  item->state = EXCHANGE_FIXED;
  diag_error(job->diags, DIAG_DELIVERY_FIXED, &at,
             "%.*s exists and cannot be corrected by interface (%.*s): tell the people of the EHR",
             STR_ARG(exchange_key(job, index)), STR_ARG(all));
  exchange_note_worst(job, STATUS_CONFLICT);
}

/* `ours` as it would be sent. What another system wrote, and what the record only mentions, is referred to and left as it is. */
static void decide(struct exchange_job *job, size_t index, const struct tree_node *ours) {
  struct exchange_item *item = &job->items[index];
  bool update = (job->plan.entries[index].may & BUNDLE_UPDATE) != 0;
  if (!item->theirs) return;
  if (!item->own || job->plan.entries[index].mentioned) {
    item->state = EXCHANGE_REFERRED;
    return;
  }
  item->name_count = bundle_compare(ours, item->theirs, update, item->names, EXCHANGE_NAMES);
  if (item->name_count == 0)
    item->state = EXCHANGE_SAME;
  else if (!update)
    fix(job, index);
}

/* Not there, and not to be made. */
static void give_up_absent(struct exchange_job *job, size_t from, size_t to) {
  for (size_t i = from; i < to; i++) {
    struct exchange_item *item = &job->items[i];
    if (item->state != EXCHANGE_WAITING || !item->looked || item->theirs ||
        job->plan.entries[i].may & BUNDLE_CREATE)
      continue;
    item->state = EXCHANGE_ABSENT;
    job->known[i].absent = true;
  }
}

static bool any_found(const struct exchange_job *job, size_t from, size_t to) {
  for (size_t i = from; i < to; i++)
    if (job->items[i].state == EXCHANGE_WAITING && job->items[i].theirs) return true;
  return false;
}

enum status exchange_decide(struct exchange_job *job, size_t part) {
  size_t from = bundle_part_begin(&job->plan, part), to = job->plan.part_ends[part];
  struct tree_node *bundle = NULL;
  give_up_absent(job, from, to);
  if (!any_found(job, from, to)) return STATUS_OK;
  enum status status = exchange_make(job, part, &bundle);
  const struct tree_node *entry = status == STATUS_OK ? tree_find(bundle, "entry") : NULL;
  for (size_t i = from; i < to && entry; i++) {
    if (job->known[i].leave) continue;
    decide(job, i, tree_find(entry, "resource"));
    entry = tree_next_same(entry);
  }
  return status;
}
