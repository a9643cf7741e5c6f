/* left_out.c - what an earlier revision of a session made at a server, and this one does not have: an entry that was deleted stays in the
 * patient's chart as final, and people have to be told.
 *
 * Only of records that come in revisions: one message of HL7 v2 does not have all of anything. Only places whose keys begin with the
 * record's own: patients, their contacts, clinics and staff are of many records. Whose a place is stands at the end of its digest in
 * the ledger (outbox_whole), so that sessions of two clinics that are called alike leave nothing of each other out. It is found with the
 * durable end of a delivery, in the same group: once, whenever the process ends.
 */
#include "relay/job.h"

enum { HOUR_MS = 3600 * 1000, DIGEST_CHARS = 64, OWN_CHARS = DIGEST_CHARS - OUTBOX_OWNER };

static struct str owner_of(const struct relay_job *job) {
  return str_of(job->owner);
}

/* "S-000412/doses/A1" of "S-000412". */
static bool is_own(const struct relay_job *job, struct str key) {
  struct str whole = job->claim.label;
  return job->owner[0] && str_starts(key, whole) && (key.len == whole.len || key.ptr[whole.len] == '/');
}

enum status relay_left_out_begin(struct relay_job *job) {
  char hex[DIGEST_CHARS + 1];
  job->owner[0] = '\0';
  if (!job->claim.is_revision || !job->claim.label.len) return STATUS_OK;
  struct str name = arena_join(job->arena, job->clinic, '\n', job->claim.label);
  if (!name.ptr) return STATUS_NOMEM;
  sha256_hex(name, hex);
  memcpy(job->owner, hex, OUTBOX_OWNER);
  job->owner[OUTBOX_OWNER] = '\0';
  return STATUS_OK;
}

enum status relay_left_out_digest(struct relay_job *job, const struct exchange_job *exchange, size_t index, struct str *out) {
  enum status status = exchange_digest(exchange, index, out);
  if (status != STATUS_OK || !is_own(job, exchange->plan.entries[index].key)) return status;
  *out = arena_concat(job->arena, str_slice(*out, 0, OWN_CHARS), owner_of(job));
  return out->ptr ? STATUS_OK : STATUS_NOMEM;
}

bool relay_left_out_is_same(struct relay_job *job, size_t index, const struct outbox_place *place, struct str digest) {
  if (str_eq(place->digest, digest)) return true;
  bool same = job->owner[0] && str_ends(digest, owner_of(job)) && place->digest.len == DIGEST_CHARS &&
              str_eq(str_slice(place->digest, 0, OWN_CHARS), str_slice(digest, 0, OWN_CHARS));
  if (same) job->unowned[index] = true;
  return same;
}

/* The store needs them when the conversation's memory serves another one. */
enum status relay_left_out_list(struct relay_job *job, const struct exchange_job *exchange) {
  const struct bundle_plan *plan = &exchange->plan;
  struct arena *arena = job->owner[0] ? relay_job_places(job) : NULL;
  if (!job->owner[0]) return STATUS_OK;
  struct str *identifiers = arena ? ARENA_ARRAY(arena, struct str, plan->entry_count + 1) : NULL;
  if (!identifiers) return STATUS_NOMEM;
  job->whole = (struct outbox_whole){.key = arena_str(arena, job->claim.label), .owner = owner_of(job), .identifiers = identifiers};
  for (size_t i = 0; i < plan->entry_count; i++) {
    if (!is_own(job, plan->entries[i].key)) continue;
    struct str *identifier = &identifiers[job->whole.count++];
    *identifier = arena_str(arena, plan->entries[i].full_url);
    if (!identifier->ptr) return STATUS_NOMEM;
  }
  if (!job->whole.key.ptr) return STATUS_NOMEM;
  job->whole.record = job->claim.id;
  return STATUS_OK;
}

enum status relay_left_out_make(struct relay_job *job, struct outbox *outbox, int64_t now) {
  job->left_out = 0;
  if (!job->whole.record || job->outcome.state != OUTBOX_DONE) return STATUS_OK;
  enum status status = outbox_leave_out(outbox, job->sender->config->name, &job->whole, now, &job->left_out);
  if (job->left_out) job->outcome.reason = STR(OUTBOX_LEFT_OUT);
  return status;
}

/* An alert at most once an hour: of maps that call their resources otherwise each correction leaves something out. */
void relay_left_out_tell(const struct relay_job *job) {
  struct relay_sender *sender = job->sender;
  int64_t now = relay_elapsed(sender->relay);
  if (!job->left_out) return;
  sender->left_out += job->left_out;
  RELAY_LOG(sender->relay, RELAY_WARNING, OUTBOX_LEFT_OUT, RELAY_TEXT("destination", sender->config->name),
            RELAY_NUMBER("record", job->claim.id), RELAY_NUMBER("resources", (int64_t)job->left_out));
  if (sender->told_left_out && now - sender->told_left_out < HOUR_MS) return;
  sender->told_left_out = now ? now : 1;
  relay_alert_why(sender->relay, OUTBOX_LEFT_OUT, sender->config->name, STR("a correction no longer has what the server still holds"));
}
