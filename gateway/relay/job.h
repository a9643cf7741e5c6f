/*
 * job.h - private to relay: a record on its way to a destination, from its claim to its durable end.
 *
 *   listed     to be claimed with the next group: memory for a record, and no record yet (sender.c)
 *   claimed    by the thread that commits; bytes leave when that is durable (sender.c)
 *   under way  a fiber has the conversation with the server, and waits for answers, locks and the store (deliver.c, locks.c)
 *   ended      its outcome is listed, with what the ledger is told; once more when its group was given up (job.c)
 *
 * Threads. The loop's, but for what is listed: from when its group is begun until that is kept (relay_promise) the thread that
 * commits has the memory and the claims of listed jobs, and the outcome and the places of those that have ended.
 */
#ifndef KETLINK_RELAY_JOB_H
#define KETLINK_RELAY_JOB_H

#include "exchange/exchange.h"
#include "relay/trouble.h"

enum { RELAY_STORE_RETRY_MS = 1000, RELAY_IDLE_ARENAS = 64, RELAY_IDLE_BYTES = 96 << 10 /* of each of them */ };

struct relay_lock {
  uint64_t hash;            /* of the name: most that differ differ in it */
  char name[UUID_TEXT + 9]; /* full URL: urn:uuid:… */
};

/* What is looked at when locks are asked for, of each job under way, stands first, in one line of the processor's cache. */
struct relay_job {
  struct relay_job *next, *before; /* of the sender's */
  struct relay_sender *sender;
  struct relay_lock *locks;
  size_t lock_count;
  bool wants_locks; /* suspended until they are free */
  bool wants_token; /* suspended until a fetch ends */
  struct relay_ways *ways;
  struct arena *arena;
  struct diag_list diags;
  struct event *timer;
  struct relay_promise promise;
  int64_t began; /* by relay_elapsed */
  /* its claim */
  struct relay_job *next_listed;
  enum status claimed;
  struct outbox_claim claim;
  struct str clinic, text; /* in its payload */
  char owner[OUTBOX_OWNER + 1]; /* of a whole that comes in revisions: outbox_whole; else empty */
  /* the conversation */
  struct relay_fiber *fiber;
  struct delivery_answer last;    /* of the last request */
  struct delivery_answer *answer; /* where the one that is waited for goes */
  bool *unowned; /* by entry of the plan: the server has it, and the ledger does not say of which whole it is; NULL: of none */
  /* its end */
  bool ended;
  struct outbox_outcome outcome;
  struct arena *places; /* of what the ledger is told with it; NULL: nothing */
  struct outbox_placed *placed;
  size_t placed_count;
  struct outbox_whole whole; /* what it has now, in `places`; of no record: nothing can be left out */
  size_t left_out;           /* places that it has not, and an earlier revision had */
  enum status told, finished;
  unsigned given_up; /* how often its group was */
};

/* Of jobs that have ended, wiped. */
struct relay_arenas {
  struct arena *idle[RELAY_IDLE_ARENAS];
  size_t count;
};

struct relay_sender {
  struct relay *relay;
  size_t index;
  const struct relay_destination_config *config;
  struct event *timer;
  struct relay_job *jobs;
  size_t want_locks; /* of them */
  struct relay_arenas arenas, places; /* of conversations, and of what the ledger is told */
  size_t in_flight, ending; /* ending: of them, those that have ended, but not yet durably */
  struct relay_promise claiming;
  struct relay_job *listed; /* to be claimed in the next group, or in the one under way */
  int64_t due;              /* when to look again, once they are; INT64_MAX: when something ends or comes */
  enum status looked;       /* how far it came */
  struct relay_tries claims;
  int64_t told_left_out; /* by relay_elapsed: the last alert; 0: none */
  bool unsettled; /* an end could not be written twice: it is told of */
  struct relay_health health;
  int64_t settled_at; /* the server may be at work until then on what an earlier process sent */
  bool stopped;
  uint64_t delivered, failed, parked, left_out, sent_ms;
};

/* --- job.c --- */

/* NULL: no memory. */
struct relay_job *relay_job_open(struct relay_sender *sender);
void relay_job_close(struct relay_job *job);
void relay_arenas_free(struct relay_arenas *arenas);
const struct relay_way *relay_job_way(const struct relay_job *job);
/* On the fiber. */
void relay_job_wait(void *job, int64_t ms);
/* What the server calls what it has got, for the ledger. Not OK: it is told less. */
enum status relay_job_remember(struct relay_job *job, const struct exchange_job *exchange) MUST_USE;
/* Ends it: the record's next state is listed, and made until it is durable. */
void relay_job_settle(struct relay_job *job, struct relay_verdict verdict);
/* Claimed when the process was about to end: nothing has left. */
void relay_job_give_back(struct relay_job *job);
/* What has ended makes room at once, in the group of its end; but the store may be slow to take ends, and jobs hold memory: so
   many more may be opened. */
size_t relay_jobs_left(const struct relay_sender *sender);

/* Memory of its own, for what the ledger is told. NULL: none. */
struct arena *relay_job_places(struct relay_job *job);

/* Of what is sent of an entry, for the ledger: which session it is of (left_out.c), whose death it tells (deceased.c). */
enum status relay_job_digest(struct relay_job *job, const struct exchange_job *exchange, size_t index, struct str *out) MUST_USE;

/* --- deceased.c: a death that was told, and what says nothing of it --- */

/* Of a Patient who has died the digest says so, and which session tells it. */
enum status relay_deceased_digest(struct relay_job *job, const struct exchange_job *exchange, size_t index, struct str *digest) MUST_USE;
/* A Patient that goes, and neither tells of a death nor that the patient lives. */
bool relay_deceased_is_silent(const struct bundle_entry *entry);
/* Of such a one, by what the ledger has of it: who was told dead, by one whom this record may not correct, stays as it is. Logs it. */
bool relay_deceased_is_kept(const struct relay_job *job, const struct outbox_place *place);

/* --- left_out.c: what an earlier revision of a whole made, and this one does not have --- */

/* The clinic is known: whose places are those that it makes. */
enum status relay_left_out_begin(struct relay_job *job) MUST_USE;
/* The digest that the ledger gets of an entry: one of a whole says of which. */
enum status relay_left_out_digest(struct relay_job *job, const struct exchange_job *exchange, size_t index, struct str *out) MUST_USE;
/* Whether the place has what is to be sent: also one that an older version wrote, which is noted then as the whole's. */
bool relay_left_out_is_same(struct relay_job *job, size_t index, const struct outbox_place *place, struct str digest);
/* It is delivered: what it has, for its end. */
enum status relay_left_out_list(struct relay_job *job, const struct exchange_job *exchange) MUST_USE;
/* By the thread that commits, before its places are put. */
enum status relay_left_out_make(struct relay_job *job, struct outbox *outbox, int64_t now) MUST_USE;
/* Its end is durable: a line, a number, an alert. */
void relay_left_out_tell(const struct relay_job *job);

/* --- locks.c --- */

void relay_locks_want(struct relay_job *job, struct str full_url);
/* All that are wanted; on the fiber, which waits until they are free. */
void relay_locks_take(struct relay_job *job);
/* A job of it that had some has ended: whoever waits, of any destination, is asked again. */
void relay_locks_wake(const struct relay_sender *ended);

/* --- deliver.c: the body of a fiber --- */

void relay_deliver(struct relay_fiber *fiber, void *job);

#endif
