/* settle.c - what an answer means for an entry, and the words for what failed. */
#include "exchange/internal.h"

static void report(struct exchange_job *job, enum diag_code code, const char *what,
                   const struct delivery_answer *answer) {
  struct source source = source_make(job->destination->name, (struct str){0});
  struct diag_at at = {.source = &source};
  struct str outcome = delivery_outcome_text(answer->body, job->arena);
  diag_error(job->diags, code, &at, "%s: %.*s%s%.*s", what, STR_ARG(answer->reason), outcome.len ? ": " : "",
             STR_ARG(outcome));
}

/* The words for a failed request, by what is to be done about it. */
enum status exchange_failure(struct exchange_job *job, const struct delivery_answer *answer) {
  static const struct {
    enum status status;
    enum diag_code code;
    const char *what;
  } words[] = {
      {STATUS_UNAVAILABLE, DIAG_DELIVERY_UNAVAILABLE, "the server cannot be reached, nothing was sent"},
      {STATUS_DENIED, DIAG_DELIVERY_AUTH, "the server refused the credential"},
      {STATUS_INVALID, DIAG_DELIVERY_REFUSED, "the server refused the data"},
      {STATUS_CONFLICT, DIAG_DELIVERY_REFUSED, "the server holds something else"},
  };
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
    if (answer->as_status != words[i].status) continue;
    report(job, words[i].code, words[i].what, answer);
    return answer->as_status;
  }
  if (answer->phase == DELIVERY_TLS)
    report(job, DIAG_DELIVERY_TLS, "no trusted connection, nothing was sent", answer);
  else if (answer->as_status == STATUS_CONFIG)
    report(job, DIAG_CONFIG_INVALID, "the destination is not set up right", answer);
  else if (answer->phase == DELIVERY_ANSWER && answer->verdict == DELIVERY_RETRY)
    report(job, DIAG_DELIVERY_UNAVAILABLE, "the server asks to try again later", answer);
  else
    report(job, DIAG_DELIVERY_UNKNOWN, "the answer was lost; sending again is safe", answer);
  return answer->as_status;
}

void exchange_note_worst(struct exchange_job *job, enum status status) {
  if (job->worst == STATUS_OK) job->worst = status;
}

static void refuse(struct exchange_job *job, size_t index, const struct delivery_entry *answer) {
  struct source source = source_make(job->destination->name, (struct str){0});
  struct diag_at at = {.source = &source, .path = job->plan.entries[index].type};
  job->items[index].state = EXCHANGE_REFUSED;
  diag_error(job->diags, DIAG_DELIVERY_REFUSED, &at, "%.*s: HTTP status %ld%s%.*s",
             STR_ARG(exchange_key(job, index)), answer->status, answer->outcome.len ? ": " : "",
             STR_ARG(answer->outcome));
  exchange_note_worst(job, STATUS_INVALID);
}

/* A condition that matched stored nothing: whether what is there is what the record says, a look tells. */
static bool matched_only(const struct exchange_job *job, size_t index, const struct delivery_entry *answer) {
  const struct bundle_shape *shape = job->bundle->shape;
  bool update =
      shape->idempotency == BUNDLE_CONDITIONAL_UPDATE && job->plan.entries[index].may & BUNDLE_UPDATE;
  return answer->status == 200 && shape->idempotency != BUNDLE_SEARCH_FIRST && !update &&
         !job->items[index].theirs && !job->items[index].confirmed;
}

static void confirm(struct exchange_job *job, size_t index, const struct delivery_entry *answer) {
  struct exchange_item *item = &job->items[index];
  if (answer->location.len) job->known[index].location = answer->location;
  bool matched = matched_only(job, index, answer), mentioned = job->plan.entries[index].mentioned;
  if (matched && !mentioned) {
    item->look = item->confirmed = true;
    return; /* and it waits on */
  }
  item->state = matched ? EXCHANGE_REFERRED : EXCHANGE_STORED;
  if (job->known[index].location.len) return;
  /* an answer that names no place: others may refer to it */
  if (exchange_look(job, index) == STATUS_OK) item->answer.location = job->known[index].location;
}

bool exchange_settle(struct exchange_job *job, size_t index, const struct delivery_entry *answer) {
  struct exchange_item *item = &job->items[index];
  item->answer = *answer;
  switch (answer->verdict) {
  case DELIVERY_DONE:
    confirm(job, index, answer);
    return false;
  case DELIVERY_SETTLE:
  case DELIVERY_COMPARE:
    item->look = true;
    return true;
  case DELIVERY_RETRY:
    item->look |= job->bundle->shape->idempotency == BUNDLE_SEARCH_FIRST;
    return true;
  case DELIVERY_PARK:
  case DELIVERY_HOLD:
    break;
  }
  refuse(job, index, answer);
  return false;
}
