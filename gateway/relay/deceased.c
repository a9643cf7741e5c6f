/* deceased.c - that a patient has died, and what says nothing of it.
 *
 * A Patient is replaced whole, and is of many records: the correction of an earlier visit, or a message that leaves the death out, would tell the
 * hospital that the patient lives. So a Patient that was told dead stays as the server has it, unless what comes tells of the death, says that the
 * patient lives (deceasedBoolean false), merges the record into another (link), or is the next revision of the session that told it: that
 * has all of the session. Of which session that was stands at the end of the digest in the ledger, behind a word for it.
 */
#include <stdio.h>
#include "relay/job.h"

enum { DIGEST_CHARS = 64, WORD_CHARS = 8, SESSION_CHARS = 4, TAIL_CHARS = WORD_CHARS + SESSION_CHARS };
static const char word[] = "deaddead"; /* hexadecimal as the rest, and too long to be there by chance */

static const struct tree_node *patient_of(const struct exchange_job *exchange, size_t index) {
  const struct bundle_entry *entry = &exchange->plan.entries[index];
  return str_is(entry->type, "Patient") ? tree_find(entry->entry, "resource") : NULL;
}

static bool has_died(const struct tree_node *patient) {
  const struct tree_node *whether = tree_find(patient, "deceasedBoolean");
  return tree_find(patient, "deceasedDateTime") || (whether && str_is(whether->text, "true"));
}

static bool says_nothing(const struct tree_node *patient) {
  return !tree_find(patient, "deceasedDateTime") && !tree_find(patient, "deceasedBoolean") && !tree_find(patient, "link");
}

/* The session that tells it; of a message, which is of none, nobody. */
static void tail_of(const struct relay_job *job, char out[TAIL_CHARS + 1]) {
  (void)snprintf(out, TAIL_CHARS + 1, "%s%.4s", word, job->owner[0] ? job->owner : "0000");
}

enum status relay_deceased_digest(struct relay_job *job, const struct exchange_job *exchange, size_t index, struct str *digest) {
  const struct tree_node *patient = patient_of(exchange, index);
  char tail[TAIL_CHARS + 1];
  if (!patient || !has_died(patient)) return STATUS_OK;
  tail_of(job, tail);
  *digest = arena_concat(job->arena, str_slice(*digest, 0, DIGEST_CHARS - TAIL_CHARS), str_of(tail));
  return digest->ptr ? STATUS_OK : STATUS_NOMEM;
}

/* Whether the ledger says that another session, or a message, told the death. */
static bool was_told(const struct relay_job *job, struct str digest) {
  char tail[TAIL_CHARS + 1];
  if (digest.len != DIGEST_CHARS) return false;
  struct str end = str_slice(digest, DIGEST_CHARS - TAIL_CHARS, DIGEST_CHARS);
  tail_of(job, tail);
  return str_starts(end, str_of(word)) && (!job->owner[0] || !str_is(end, tail));
}

enum status relay_deceased_keep(struct relay_job *job, struct exchange_job *exchange, size_t index, bool *kept) {
  const struct bundle_entry *entry = &exchange->plan.entries[index];
  const struct tree_node *patient = entry->mentioned ? NULL : patient_of(exchange, index);
  const struct relay_sender *sender = job->sender;
  struct outbox_place place = {0};
  if (!patient || !says_nothing(patient)) return STATUS_OK;
  enum status status = outbox_ledger_get(relay_store(sender->relay), sender->config->name, entry->key, entry->full_url, job->arena, &place);
  if (status != STATUS_OK) return status == STATUS_NOT_FOUND || status == STATUS_INVALID ? STATUS_OK : status;
  if (!was_told(job, place.digest)) return STATUS_OK;
  *kept = true;
  exchange->items[index].answer.version = place.etag;
  exchange->items[index].state = EXCHANGE_REFERRED;
  exchange->known[index].location = place.location;
  RELAY_LOG(sender->relay, RELAY_WARNING, "death-kept", RELAY_TEXT("destination", sender->config->name), RELAY_NUMBER("record", job->claim.id));
  return STATUS_OK;
}
