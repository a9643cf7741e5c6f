/*
 * outbox.h - the durable store of the relay: what was accepted is here until it is delivered, or somebody has
 * decided otherwise.
 *
 * Purpose. A *record* is some sealed bytes for one destination, in one *lane* (what must stay in order: a
 * patient at a destination). At every instant each accepted record is in exactly one state:
 *
 *   queued   waits for its turn, or for its next attempt
 *   sending  claimed: bytes may have left
 *   unknown  bytes may have left and no answer came (or this process died then): look before sending again
 *   parked   set aside, somebody has to look; blocks its lane, or lets it pass, as the one who parked it says
 *   done     delivered
 *   dropped  given up by a person, by name
 *
 * Only the oldest open record (queued, sending, unknown, blocking parked) of a lane may be claimed, so what
 * belongs to one patient arrives in the order in which it was accepted, also across retries and restarts.
 *
 * Durability. Every change joins the open *group*; outbox_commit makes the group durable (one fsync for all
 * of it). Whoever was promised something may be told only after outbox_commit returned STATUS_OK. Record,
 * attempt, duplicate key, ledger and audit change in the same group. If a group cannot be committed none of
 * it counts: after STATUS_LIMIT (the disk has no room, and nothing was synced) the store goes on as before it; after STATUS_IO (a failed write or fsync) nothing can be said about the disk any more: the store
 * refuses every further call and the process must end (reliability: a failed fsync is never retried).
 *
 * Secrecy. Payloads, labels and places on servers are sealed with AES-256-GCM under a key of their own,
 * derived by HKDF-SHA256 from the data key and a random salt; that of a payload from the record's and a salt of its own,
 * which is wiped when the record is over: what still lies on the disk of it then nobody reads. Payloads are pressed before they are
 * sealed: besides how long one is, the store tells how much of it is said more than once. The record's place in the
 * store is authenticated with it, so rows cannot be swapped. What is searched for (lane, sender, control id,
 * family of places) stands as HMAC-SHA256; that of a message stays with its event until the trail is exported. Destinations, states, times, sizes, revisions and counts are in the clear. Data
 * keys are wrapped by the store key, which is not in the store (outbox_keys). Reasons are words of the
 * program, never texts of a server or a patient.
 *
 * Threads. One thread at a time; a copy is checked on one of its own. Ownership: views that come out live in the caller's arena. Units:
 * milliseconds since 1970 UTC by the caller's clock; order never depends on it. Errors: RETRY another
 * process has it; CONFLICT older copy of the store; CONFIG wrong key, network file system, newer schema; LIMIT full
 * (nothing was taken); IO stop.
 */
#ifndef KETLINK_OUTBOX_OUTBOX_H
#define KETLINK_OUTBOX_OUTBOX_H

#include "base/base.h"

/* --- keys --- */

enum { OUTBOX_KEYS_MAX = 16, OUTBOX_KEY_BYTES = 32 };

/* Store keys, the newest last: it wraps, the older ones only unwrap. Wipe with outbox_keys_wipe. */
struct outbox_keys {
  unsigned char keys[OUTBOX_KEYS_MAX][OUTBOX_KEY_BYTES];
  uint32_t ids[OUTBOX_KEYS_MAX];
  size_t count;
};
/* A file of lines "ID KEY", KEY in 64 hexadecimal digits, # for remarks; regular, owned by this user or root,
   readable by its owner only (as systemd makes credentials), else STATUS_CONFIG with a diagnostic. */
enum status outbox_keys_read(const char *path, struct arena *arena, struct diag_list *diags,
                             struct outbox_keys *out) MUST_USE;
/* The text of a key file with one key more than `keys` (which may be empty), made from `host`'s randomness. LIMIT: there
   are OUTBOX_KEYS_MAX; which of them nothing needs any more a person knows. */
enum status outbox_keys_rotate(const struct outbox_keys *keys, const struct host *host, struct arena *arena,
                               struct str *text) MUST_USE;
void outbox_keys_wipe(struct outbox_keys *keys);

/* --- the store --- */

struct outbox;

struct outbox_params {
  const struct host *host;
  const char *folder; /* exists, mode 0700, on a local file system */
  const struct outbox_keys *keys;
  const char *marker;     /* file outside the store that remembers its generation, or NULL; see outbox_open */
  bool accept_restored;   /* take an older copy of the store for the present one */
  size_t max_records;     /* open ones; 0: LIMIT_OUTBOX_RECORDS */
  uint64_t reserve_bytes; /* of the file system stay free; 0: LIMIT_OUTBOX_RESERVE */
  size_t checkpoint_pages; /* of the write-ahead log; 0: OUTBOX_CHECKPOINT_PAGES */
};
enum { OUTBOX_CHECKPOINT_PAGES = 2000 }; /* 8 MB: what is written again before goes into the store once */

/* Whether `folder` can be one of a store: there, no link, this user's alone, on a local disk. CONFIG with a diagnostic. */
enum status outbox_place_check(const char *folder, struct diag_list *diags) MUST_USE;
/* Opens or creates FOLDER/outbox.db, brings an older schema up, turns `sending` into `unknown`. A store whose
   generation is behind the marker's is a restored copy: STATUS_CONFLICT, since what it holds as queued may
   long be delivered; so is a copy of outbox_backup_begin, with or without a marker. */
enum status outbox_open(const struct outbox_params *params, struct diag_list *diags,
                        struct outbox **out) MUST_USE;
/* What would keep outbox_open from it, as far as it can be seen from outside: no lock is taken, nothing is written or made, and a relay
   may have it open. While its write-ahead log holds something, what depends on rows is left to the start. OK: nothing is known. `waiting`:
   destinations that have open records, as far as that is known; in the arena of `diags`. */
enum status outbox_look(const struct outbox_params *params, struct diag_list *diags, struct str **waiting, size_t *count) MUST_USE;
/* An open group is given up. NULL is allowed. */
void outbox_close(struct outbox *outbox);

/* Makes the group durable. OK also when there is none. LIMIT: no room on the disk, the group was given up. */
enum status outbox_commit(struct outbox *outbox) MUST_USE;
/* outbox_commit in two steps, between and during the second of which others may use the store: writes the group, and makes what was
   written durable. Not OK: as with outbox_commit, and the second step may be left out. Between the two nobody may be told of what the store
   says of the group. */
enum status outbox_write(struct outbox *outbox) MUST_USE;
/* On the thread that wrote. While it waits for the disk another thread may call anything but outbox_write and outbox_close. */
enum status outbox_sync(struct outbox *outbox) MUST_USE;
/* Gives the group up. */
void outbox_abandon(struct outbox *outbox);
/* Whether a change waits for outbox_commit. */
bool outbox_in_group(const struct outbox *outbox);

/* --- accepting --- */

enum outbox_state {
  OUTBOX_QUEUED,
  OUTBOX_SENDING,
  OUTBOX_UNKNOWN,
  OUTBOX_PARKED,
  OUTBOX_DONE,
  OUTBOX_DROPPED,
  OUTBOX_STATES
};
const char *outbox_state_name(enum outbox_state state);
bool outbox_state_parse(struct str word, enum outbox_state *out);

struct outbox_item {
  struct str destination; /* its name, at most OUTBOX_NAME_MAX bytes */
  struct str lane;        /* stable key of the patient; empty: a lane of its own */
  struct str kind;        /* what the payload is, a word: "bundle", "record", "hl7v2" */
  struct str label;       /* by which people find it: the record's id in the clinic; sealed */
  struct str payload;
  size_t bytes;       /* what `payload` was before outbox_press; 0: it was not pressed */
  struct str subject; /* of which it is a revision: stable key; empty: of nothing */
  int64_t revision;   /* with a subject: a lower one than was accepted before is parked, see outbox_accept */
  struct str parked; /* reason, when it is parked from the start; else empty */
  bool blocks;       /* a parked one: holds its lane back */
};
/* A payload as the store keeps it, with `bytes`: by any thread, before it is accepted, which then is done sooner. What there is nothing to win of,
   and what was pressed already, stays as it is. The new one lives in the arena. NOMEM. */
enum status outbox_item_press(struct outbox_item *item, struct arena *arena) MUST_USE;
struct outbox_message {
  struct str source;  /* who sent it: address and application, or folder */
  struct str control; /* control id or file name; empty: known by its content alone */
  struct str content; /* its bytes, of which a digest is kept */
  const struct outbox_item *items;
  size_t item_count;
  size_t *older; /* counts those that are parked as OUTBOX_OLDER; may be NULL */
};
enum outbox_answer {
  OUTBOX_ACCEPTED,
  OUTBOX_AGAIN,    /* the same was accepted before: answer as then, nothing was added */
  OUTBOX_DIFFERENT, /* the control id is known with other content: both are kept, somebody should know */
  OUTBOX_DIFFERENT_AGAIN /* the same was accepted before as a different one: answer as then, nothing was added */
};
enum { OUTBOX_NAME_MAX = 64, OUTBOX_REASON_MAX = 64 };
#define OUTBOX_OLDER "older-revision"
/* Adds the items to the group, all or none. `ids` (item_count of them, or NULL) are set when accepted, and to
   what they were then when the message came again (0 beyond the first). One of a lower revision than
   its destination has got of the same subject is parked as OUTBOX_OLDER and lets its lane pass: delivered, it would
   undo the correction. So is, when its turn comes, one whose correction came in another lane. LIMIT: full, with `diags` saying of what; INVALID: a name or payload beyond its cap. */
enum status outbox_accept(struct outbox *outbox, const struct outbox_message *message, int64_t now,
                          struct diag_list *diags, enum outbox_answer *answer, int64_t *ids) MUST_USE;

/* --- delivering --- */

struct outbox_claim {
  int64_t id;
  struct str destination, kind, label, payload;
  unsigned attempts; /* before this one */
  unsigned faults;   /* of them, those that ended in a fault of `outbox_outcome`, since somebody retried it */
  bool unknown;      /* look on the server first */
  bool is_revision;  /* it has a subject, and is all of it: see outbox_whole */
  int64_t accepted_at;
  size_t set_aside;  /* whatever is returned: so many before it were parked instead, the last of them this one */
  int64_t set_aside_id;
  const char *set_aside_why;
};
/* The record whose turn it is at the destination becomes `sending`, in the group: nothing may leave before
   outbox_commit. NOT_FOUND: none now. A record that does not open (bit rot, swapped rows) is parked as
   "damaged" and passed over, one that does not fit in `arena` as "too-large". */
enum status outbox_claim(struct outbox *outbox, struct str destination, int64_t now, struct arena *arena,
                         struct outbox_claim *out) MUST_USE;
/* The clock was set back by so many milliseconds, to `now`: what waits does not wait longer for it. In the group. */
enum status outbox_clock_back(struct outbox *outbox, int64_t now, int64_t by) MUST_USE;
/* Records of the destination that are queued or unknown, also those that are not due, or not the first of their lanes. */
enum status outbox_waiting(struct outbox *outbox, struct str destination, size_t *out) MUST_USE;
/* When the next record of the destination is due; INT64_MAX: none. */
enum status outbox_next_due(struct outbox *outbox, struct str destination, int64_t *out) MUST_USE;

struct outbox_outcome {
  enum outbox_state state; /* DONE, QUEUED (again), UNKNOWN, PARKED */
  int64_t next_at;         /* QUEUED and UNKNOWN: not before */
  struct str reason;       /* word: "http-503", "tls-expired", … */
  int http_status;
  int64_t took_ms;
  bool fault;  /* it counts against the record: not what its destination is at fault for */
  bool blocks; /* PARKED: holds its lane back */
};
/* Ends the attempt of a claimed record, in the group. */
enum status outbox_finish(struct outbox *outbox, int64_t id, const struct outbox_outcome *outcome,
                          int64_t now) MUST_USE;

/* --- ledger: identifier -> what the server calls it ---
 *
 * With an identifier goes the record key of which it is made ("S-000412/doses/A1"): places whose keys are alike up to and with
 * the first part that has a digit are a family, and stand in one row, sealed as one, so that those of a record are read and written
 * together; of a family of more than OUTBOX_FAMILY_MAX in several. The same identifier always goes with the same key. */

enum { OUTBOX_FAMILY_MAX = 128 /* places of one row */ };
struct outbox_place {
  struct str location; /* "Type/id" */
  struct str etag;     /* or version */
  struct str digest;   /* of what was sent, as the caller makes it: the same need not be sent again */
};
/* What is put: an identifier's place in the place of the one before. */
struct outbox_placed {
  struct str key, identifier;
  struct outbox_place place;
};
/* In the group; of two of an identifier the later one. What is put together costs little more than one of it. INVALID: a place of
   more than LIMIT_OUTBOX_LABEL bytes was among them, the others are put. */
enum status outbox_ledger_put(struct outbox *outbox, struct str destination, const struct outbox_placed *placed, size_t count,
                              int64_t now) MUST_USE;
/* NOT_FOUND; INVALID: its row does not open, and is written over when something of its family is put. */
enum status outbox_ledger_get(struct outbox *outbox, struct str destination, struct str key, struct str identifier,
                              struct arena *arena, struct outbox_place *out) MUST_USE;

/* A whole that comes in revisions, each of which has all of it: a session. Of its places the digest's last OUTBOX_OWNER
   hexadecimal digits are its own, so that of two wholes whose keys are alike (of two clinics) none takes the other's places for its
   own; the caller makes the digests so. */
enum { OUTBOX_OWNER = 8 };
struct outbox_whole {
  struct str key;               /* with which the keys of its parts begin */
  struct str owner;             /* OUTBOX_OWNER digits */
  const struct str *identifiers; /* of all that it has now */
  size_t count;
  int64_t record; /* by which it is delivered */
};
#define OUTBOX_LEFT_OUT "left-out"
/* Places of the whole that this delivery of it does not have: at the server they stay as they were delivered. *count of them are
   noted as left out by the record, once, and told in the trail; their digests are no more, so that they are sent again when they
   come back. In the group of the record's end, before its places are put. A family that forked is read whole, row by row. */
enum status outbox_leave_out(struct outbox *outbox, struct str destination, const struct outbox_whole *whole, int64_t now,
                             size_t *count) MUST_USE;
/* Where those are that a record, of this label, has left out; what has come back is not among them. */
enum status outbox_left_out(struct outbox *outbox, struct str destination, struct str label, int64_t record, struct arena *arena,
                            struct str **locations, size_t *count) MUST_USE;

/* --- looking and deciding --- */

struct outbox_row {
  int64_t id, accepted_at, changed_at, next_at;
  enum outbox_state state;
  struct str destination, kind, label, reason;
  unsigned attempts, faults;
  size_t bytes;
  bool blocks;
};
struct outbox_filter {
  bool by_state;
  enum outbox_state state;
  struct str destination; /* empty: all */
  struct str reason;      /* empty: all */
  int64_t after;          /* ids above it, for paging */
  size_t limit;           /* 0: 100 */
};
enum status outbox_list(struct outbox *outbox, const struct outbox_filter *filter, struct arena *arena,
                        struct outbox_row **out, size_t *count) MUST_USE;
enum status outbox_get(struct outbox *outbox, int64_t id, struct arena *arena,
                       struct outbox_row *out) MUST_USE;
/* The payload of a record that still has it. NOT_FOUND; INVALID: it does not open. */
enum status outbox_payload(struct outbox *outbox, int64_t id, struct arena *arena, struct str *out) MUST_USE;

struct outbox_attempt {
  int64_t at, took_ms;
  enum outbox_state state; /* that it ended in */
  int http_status;
  struct str reason;
};
enum status outbox_attempts(struct outbox *outbox, int64_t id, struct arena *arena,
                            struct outbox_attempt **out, size_t *count) MUST_USE;

enum outbox_order {
  OUTBOX_RETRY, /* parked, or waiting: queued, due at once; one that a higher revision has passed is parked as OUTBOX_OLDER, and
                   queued when it is said once more */
  OUTBOX_PARK,  /* queued or unknown: parked */
  OUTBOX_PASS,  /* parked and blocking: its lane goes on without it */
  OUTBOX_DROP   /* open: given up */
};
/* A person's decision, in the group and in the audit trail with `actor`. CONFLICT: not in that state (a
   record that is `sending` is never taken out of the sender's hands). */
enum status outbox_decide(struct outbox *outbox, int64_t id, enum outbox_order order, struct str reason,
                          struct str actor, int64_t now) MUST_USE;

struct outbox_stats {
  size_t by_state[OUTBOX_STATES];
  uint64_t accepted, duplicates; /* since it was opened */
  uint64_t log_pages;            /* of the write-ahead log */
  uint64_t free_bytes;           /* of the file system */
  int64_t generation;
  uint64_t events;              /* of the trail that are here */
  size_t max_records;           /* open ones that there may be */
  const char *full;             /* why nothing more is taken, "records" or "disk"; NULL: it takes */
  size_t ledger, subjects;      /* places, as outbox_sweep has counted them: of a while ago; subjects of revisions */
  uint64_t bytes;               /* of the store's file and its log */
};
/* Names of all destinations that anything was ever accepted for. */
enum status outbox_destinations(struct outbox *outbox, struct arena *arena, struct str **names,
                                size_t *count) MUST_USE;
/* Of one destination, or of all when empty. Includes the open group. */
enum status outbox_stats(struct outbox *outbox, struct str destination, struct outbox_stats *out) MUST_USE;
/* Of them those that are not over: from queued to parked. */
size_t outbox_open_records(const struct outbox_stats *stats);
/* The open record that was accepted first: its number and when. NOT_FOUND: all are over. */
enum status outbox_oldest(struct outbox *outbox, int64_t *id, int64_t *accepted_at) MUST_USE;
/* The same of one destination, of those whose turn it is in their lane: not of what is parked, and what waits behind it. */
enum status outbox_oldest_of(struct outbox *outbox, struct str destination, int64_t *id, int64_t *accepted_at) MUST_USE;

/* --- audit --- */

struct outbox_event {
  int64_t number, at, record; /* record 0: none */
  struct str what; /* "accepted", "delivered", "parked", "retry", "dropped", "opened", "key-rotated", … */
  struct str actor, reason;
  struct str chain; /* of outbox_audit_read: what ties it to the one before, under the store's key; 64 hexadecimal digits */
};
/* Of the store, since it was made; a copy of it has the same. 32 hexadecimal digits. */
enum { OUTBOX_ID_TEXT = 33 };
void outbox_id(const struct outbox *outbox, char out[OUTBOX_ID_TEXT]);
/* A further event of the relay: start, stop, reload, backup. In the group. */
enum status outbox_audit(struct outbox *outbox, struct str what, struct str actor, struct str reason,
                         int64_t now) MUST_USE;
/* Events above `after`, in order, and above those that were exported; each is checked against the chain: INVALID names the first that was
   changed, taken out or put in. */
enum status outbox_audit_read(struct outbox *outbox, int64_t after, size_t limit, struct arena *arena,
                              struct diag_list *diags, struct outbox_event **out, size_t *count) MUST_USE;

/* Somebody has the trail elsewhere up to and with the event `number`: until there it is not read any more, and goes with
   outbox_sweep. What is left is an anchor that the later events are chained to, under the store's key. In the group, and in
   the trail. NOT_FOUND: no such event; CONFLICT: as much has been exported before. */
enum status outbox_audit_exported(struct outbox *outbox, int64_t number, struct str actor, int64_t now) MUST_USE;

/* Of events that were read once and were kept elsewhere, one after the other: how many from the first on are as they were and in their place,
   by their chain. `before`: the chain of the one before the first; empty: there is none, it is the store's first. INVALID: `before` is no chain. */
enum status outbox_audit_check(const struct outbox *outbox, struct str before, const struct outbox_event *events, size_t count,
                               size_t *sound) MUST_USE;

/* --- upkeep --- */

struct outbox_retention {
  int64_t done_ms;   /* records that are done or dropped keep their row this long; the payload goes at once */
  int64_t dedupe_ms; /* control ids are known this long: at least 30 days, LIMIT_OUTBOX_DEDUPE_MS */
};
struct outbox_swept {
  size_t records, keys, events;
};
/* Deletes what is older, at most `budget` rows of each kind, in the group. A lane that was one record's own goes with it. The
   ledger stays: what it forgets would be sent again when a record of the same resource comes, after years too; so do the
   revisions, since an older one could undo a correction. Both grow with the number of resources, not of deliveries. */
enum status outbox_sweep(struct outbox *outbox, const struct outbox_retention *retention, int64_t now,
                         size_t budget, struct outbox_swept *out) MUST_USE;
/* The `now` of the last sweep, to an hour; also of one of an earlier process. 0: there was none. */
int64_t outbox_clock(const struct outbox *outbox);
/* When nothing is to be done: the log into the store and emptied, so that no older page stays in it. Costs nothing when it is empty. */
enum status outbox_idle(struct outbox *outbox) MUST_USE;
/* A checked copy at `path` (which must not exist), sealed as the store is, made in pieces: between them the store is used
   as ever, and what is changed goes into the copy too. It is checked on a thread of its own. */
struct outbox_backup;
enum status outbox_backup_begin(struct outbox *outbox, const char *path, struct diag_list *diags,
                                struct outbox_backup **out) MUST_USE;
/* Goes on for about `ms`; with a group open it waits. RETRY: call again; NOMEM: there is no thread to check it on, call again later;
   OK: the copy is there, durable and good; INVALID: it does not pass; else it cannot be made. */
enum status outbox_backup_step(struct outbox_backup *backup, int64_t ms, struct diag_list *diags) MUST_USE;
/* What is not there yet is given up. Before outbox_close; NULL is allowed. */
void outbox_backup_end(struct outbox_backup *backup);

#endif
