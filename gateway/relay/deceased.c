/* deceased.c - that a patient has died, and what says nothing of it.
 *
 * A Patient is replaced whole, and is of many records: the correction of an earlier visit, or a message that leaves the death out, would tell the
 * hospital that the patient lives. So a Patient that was told dead stays as the server has it, unless what comes tells of the death, says that the
 * patient lives (deceasedBoolean false), merges the record into another (link), or is the next revision of the session that told it: that
 * has all of the session. Of which session that was stands at the end of the digest in the ledger, behind a word for it.
 */
#include <stdio.h>
#include "relay/job.h"

enum { DIGEST_CHARS = 64, WORD_CHARS = 8, TAIL_CHARS = WORD_CHARS + OUTBOX_OWNER };
static const char word[] = "deaddead"; /* hexadecimal as the rest, and too long to be there by chance */

bool relay_deceased_is_silent(const struct bundle_entry *entry) {
  return entry->silent && !entry->mentioned;
}

/* The session that tells it; of a message, which is of none, nobody. */
static void tail_of(const struct relay_job *job, char out[TAIL_CHARS + 1]) {
  (void)snprintf(out, TAIL_CHARS + 1, "%s%s", word, job->owner[0] ? job->owner : "00000000");
}

enum status relay_deceased_digest(struct relay_job *job, const struct exchange_job *exchange, size_t index, struct str *digest) {
  char tail[TAIL_CHARS + 1];
  if (!exchange->plan.entries[index].died) return STATUS_OK;
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

bool relay_deceased_is_kept(const struct relay_job *job, const struct outbox_place *place) {
  if (!was_told(job, place->digest)) return false;
  RELAY_LOG(job->sender->relay, RELAY_WARNING, "death-kept", RELAY_TEXT("destination", job->sender->config->name),
            RELAY_NUMBER("record", job->claim.id));
  return true;
}
