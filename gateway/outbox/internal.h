/* internal.h - private to outbox: the open store, its statements, groups and sealing. */
#ifndef KETLINK_OUTBOX_INTERNAL_H
#define KETLINK_OUTBOX_INTERNAL_H

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <sqlite3.h>
#include "outbox/outbox.h"

/* 2 is FULL: each commit is synced. Another value is for the control of the power-loss test alone, which must
 * catch it. */
#ifndef OUTBOX_SYNCHRONOUS
#define OUTBOX_SYNCHRONOUS "2"
#endif

/* So many of the newest duplicate keys, families, lanes and subjects stand apart (dedupe.c, rows.c): of a tree of many the more go there
   together, the fewer pages each writes. Another number is for tests, in which they move often. */
#ifndef OUTBOX_YOUNG_MAX
#define OUTBOX_YOUNG_MAX 4096
#endif

/* So many of the newest records are known in memory (fresh.c), and parts of it otherwise (handed.c, claim.c). */
#ifndef OUTBOX_NEWEST_MAX
#define OUTBOX_NEWEST_MAX 1024
#endif

/* Memory of one call. Less is for a test of what is larger. */
#ifndef OUTBOX_SCRATCH
#define OUTBOX_SCRATCH LIMIT_OUTBOX_SCRATCH
#endif

/* What stands in a record's `open`: whether it holds its place in its lane, and who knows of it. The schema's numbers, of which SQL takes
   the text. */
#define OUTBOX_OPEN_NOT 0
#define OUTBOX_OPEN_INDEXED 1 /* the index of lanes has it */
#define OUTBOX_OPEN_FRESH 2   /* only the list of the newest has (fresh.c) */

enum outbox_statement {
#define S(name, sql) STATEMENT_##name,
#include "outbox/statements.def"
#undef S
  STATEMENT_COUNT
};

enum {
  MARK_BYTES = 16, /* of an HMAC-SHA256: what is searched for */
  MARK_PARTS_MAX = 2,
  CHAIN_BYTES = 32,
  SALT_BYTES = 32,
  PAYLOAD_SALT_BYTES = 16,
  DIGEST_BYTES = 32,
  STORE_ID_BYTES = 16,
  NONCE_BYTES = 12,
  TAG_BYTES = 16,
  SEAL_OVERHEAD = NONCE_BYTES + TAG_BYTES,
  DATA_KEYS_MAX = 64,
  RECORDS_PER_KEY = 1 << 24, /* reliability.md: a new data key every 2^24 records */
  DESTINATIONS_MAX = 256
};

/* What a sealed thing is: part of what is authenticated with it. */
enum seal_use { SEAL_PAYLOAD = 1, SEAL_LABEL, SEAL_LEDGER, SEAL_KEY, SEAL_FAMILY, SEAL_PRESSED /* a payload, by outbox_press */ };

/* HMAC-SHA256 that has its key. */
struct outbox_mac {
  SHA256_CTX inner, outer;
};

/* Random bytes that nobody has got yet: the last `left`. */
struct outbox_drawn {
  unsigned char bytes[1024];
  size_t left;
};

struct outbox_data_key {
  uint32_t id;
  unsigned char bytes[OUTBOX_KEY_BYTES];
};

/* A destination that was looked up. */
struct outbox_known {
  int64_t id, clamped_at;
  size_t len;
  char name[OUTBOX_NAME_MAX];
};

/* Number of records by destination and state, as committed or with the group. */
struct outbox_tally {
  int64_t destinations[DESTINATIONS_MAX]; /* ids */
  size_t counts[DESTINATIONS_MAX][OUTBOX_STATES];
  size_t used;
};

/* A row of the ledger that was asked for or put lately, by a hash of its family; destination 0: none. id: its row's; 0: there is none. */
enum { LEDGER_KEPT = 256, LEDGER_KEPT_BYTES = 4 << 20 /* of their texts */, LEDGER_NAME_BYTES = 64, LEDGER_PATH_BYTES = 16 };
struct outbox_kept {
  int64_t destination, id;
  size_t family_len;
  unsigned depth;
  unsigned char path[LEDGER_PATH_BYTES], mark[MARK_BYTES];
  char family[LEDGER_NAME_BYTES];
  char *text;
  size_t len;
};

/* A place as schema 6 or 4 had it that was asked for lately, by a hash of its identifier; len 0: none. */
enum { LEDGER_TEXT_BYTES = 232 };
struct outbox_earlier {
  int64_t destination;
  size_t identifier_len, len;
  char identifier[LEDGER_NAME_BYTES], text[LEDGER_TEXT_BYTES];
};

/* The family that places of schema 6 were asked for last. */
struct outbox_family {
  bool known; /* its text is kept */
  size_t len;
  char text[LEDGER_NAME_BYTES];
  unsigned char mark[MARK_BYTES]; /* of which the beginning counts */
  int64_t empty_at; /* a destination that has none of it; 0: not asked */
};

/* By what a message is known again. */
struct outbox_dedupe {
  unsigned char mark[MARK_BYTES], digest[MARK_BYTES];
};

/* Where the newest are, by a key made of their mark; row 0: none. Half of the slots are free at least. */
enum { INDEX_MAX = OUTBOX_YOUNG_MAX, INDEX_SLOTS = 2 * INDEX_MAX };
struct outbox_slot {
  uint64_t key;
  int64_t row;
};
struct outbox_index {
  struct outbox_slot slots[INDEX_SLOTS];
  size_t count;
  int64_t settled; /* the last that is in the tree */
  bool known;      /* false: of a group that was given up, or sorted */
};

/* Tables whose rows are found by their marks (rows.c). */
enum outbox_rows { ROWS_FAMILIES, ROWS_LANES, ROWS_SUBJECTS, ROWS_TABLES };

/* What the trees are known to lack (sieve.c). */
enum outbox_tree { TREE_FAMILIES = ROWS_FAMILIES, TREE_LANES = ROWS_LANES, TREE_SUBJECTS = ROWS_SUBJECTS, TREE_DEDUPE = ROWS_TABLES, TREES };
enum { SIEVE_LINES = 8192 /* of 512 bits */ };
struct outbox_learning {
  bool whole;
  size_t len; /* 0: nothing was read yet */
  unsigned char last[MARK_BYTES];
};
struct outbox_sieve {
  uint64_t lines[SIEVE_LINES][8];
  struct outbox_learning learning[TREES];
};

/* Keys: the number of an event, or, below zero, a row of dedupe_new. */
struct outbox_young {
  struct outbox_index index;
  int64_t oldest; /* when the oldest of these came */
};

/* The newest records that hold a place in a lane, by their lane. */
enum { FRESH_MAX = OUTBOX_NEWEST_MAX, FRESH_CHAINS = 2 * FRESH_MAX };
struct outbox_fresh_entry {
  int64_t lane, record;
  uint16_t next; /* number of an entry and one; 0: none */
};
struct outbox_fresh {
  struct outbox_fresh_entry entries[FRESH_MAX], sorted[FRESH_MAX];
  uint16_t chains[FRESH_CHAINS], used, freed;
  size_t count;
  bool known; /* false: of a group that was given up */
};

/* A record that came a moment ago, as it is queued: its texts lie behind each other. id 0: none. */
struct outbox_handed {
  int64_t id, destination, lane, accepted_at, revision;
  bool is_revision;
  unsigned char subject[MARK_BYTES]; /* of a revision */
  size_t bytes;                      /* of its payload */
  char *text;
  size_t len;
  struct str kind, label, pressed;
};
enum { HANDED_MAX = OUTBOX_NEWEST_MAX / 4 };
struct outbox_handover {
  struct outbox_handed slots[HANDED_MAX];
  size_t bytes;
};

/* A record that is on its way, as it was claimed: nobody but the end of its attempt changes it. */
struct outbox_sent {
  int64_t id, destination, lane;
  unsigned attempts;
  bool has_payload_salt;
};
enum { SENT_MAX = OUTBOX_NEWEST_MAX / 4 };

/* What a group changes in memory: copied back when it is given up. */
struct outbox_memory {
  struct outbox_tally tally;
  uint64_t accepted, duplicates;
  size_t known; /* destinations */
  int64_t next_id; /* of a record */
  int64_t audit_number;
  unsigned char audit_chain[CHAIN_BYTES];
  int64_t anchor_number; /* the last event that was exported and need not be here any more; 0: none */
  unsigned char anchor_chain[CHAIN_BYTES];
  int64_t fresh_from; /* no record below it is of the newest */
  int64_t last_rows[ROWS_TABLES]; /* no row has a higher number, or had */
  int64_t clock; /* to which it was swept, as it was noted */
};

/* The last row that the sweep looked at, of records and of duplicate keys; zeros: to begin anew. */
struct outbox_swept_to {
  int64_t record, old_key;
  struct {
    unsigned char mark[MARK_BYTES], digest[MARK_BYTES];
    int64_t record;
  } key;
  bool wipes; /* what it deletes is overwritten, at present */
};

/* A table whose rows are counted some at a time: by destination and mark. */
struct outbox_walk {
  int64_t destination;
  unsigned char mark[MARK_BYTES];
  size_t seen, counted; /* on this way; on the one before */
};

struct outbox {
  sqlite3 *db;
  sqlite3_vfs vfs; /* of gather.c */
  sqlite3_vfs *vfs_below;
  bool gathers;            /* it is registered */
  sqlite3_file *log;       /* NULL: not open */
  bool puts_off, owes_sync; /* the sync of a group that is written; outbox_sync */
  sqlite3_stmt *statements[STATEMENT_COUNT];
  const struct host *host;
  int lock;              /* descriptor of the lock file, or -1 */
  struct arena *arena;   /* of the store's life */
  struct arena *scratch; /* of one call */
  size_t max_records;
  uint64_t reserve_bytes;
  size_t checkpoint_pages;
  const char *path, *log_path; /* of the database, and of its log */
  const char *folder;
  /* keys: root for marks, audit and ledger; data keys for records */
  unsigned char root_ledger[OUTBOX_KEY_BYTES];
  struct outbox_data_key data_keys[DATA_KEYS_MAX];
  size_t data_key_count;
  uint32_t rotated_to; /* store key that took over at this start; 0: the same as before */
  unsigned char store_id[STORE_ID_BYTES];
  EVP_CIPHER_CTX *sealing, *opening; /* of the cipher, which is given once: to OpenSSL 3 it costs as much as a seal. The last key stays */
  struct outbox_mac mac_index, mac_audit;
  struct outbox_drawn drawn;
  /* state */
  int64_t generation;
  bool is_copy; /* made as a backup, and taken for the store when all of it has been opened */
  bool in_group;
  _Atomic bool failed;     /* the disk is not to be trusted: every call is refused */
  enum status group_error; /* why the group was given up; until outbox_commit */
  struct outbox_memory now, committed;
  struct outbox_known known[DESTINATIONS_MAX];
  struct outbox_kept kept[LEDGER_KEPT];
  size_t kept_bytes;
  struct outbox_earlier earlier[LEDGER_KEPT];
  struct outbox_family family;
  bool alone_places, old_places; /* the ledger has some as schema 6, as schema 4 had them */
  struct outbox_swept_to swept; /* how far the sweep has come */
  bool old_keys;                /* there are duplicate keys as schema 5 had them */
  struct outbox_young young;
  struct outbox_index rows[ROWS_TABLES];
  struct outbox_sieve sieve;
  struct outbox_fresh fresh;
  struct outbox_handover handed;
  int64_t last_correction; /* no record after it has raised the revision of a subject, since the store was opened */
  struct outbox_sent sent[SENT_MAX]; /* by their numbers; of two of a place the later one */
  uint64_t free_bytes; /* of the file system, less what the group has taken; asked for once a group */
  bool free_known;
  size_t log_pages; /* that are not in the store yet */
  bool log_empty;   /* its file; what was moved into the store leaves old pages there */
  struct outbox_walk ledger, old_ledger; /* of schemas before 7 */
  struct {
    int64_t row;
    size_t seen, counted;
  } families; /* the same of places by family */
};

/* --- group.c: statements and groups --- */

/* A statement reset and ready to be bound. */
sqlite3_stmt *outbox_statement(struct outbox *outbox, enum outbox_statement which);
void outbox_bind_str(sqlite3_stmt *statement, int at, struct str text);
void outbox_bind_blob(sqlite3_stmt *statement, int at, const void *bytes, size_t count);
/* One step. OK: a row; NOT_FOUND: done. */
enum status outbox_row_step(struct outbox *outbox, sqlite3_stmt *statement) MUST_USE;
/* One step of a bound statement, which is reset: whether there is a row. */
enum status outbox_is_there(struct outbox *outbox, sqlite3_stmt *statement, bool *out) MUST_USE;
/* Whether the statement finds something about the record. */
enum status outbox_ask(struct outbox *outbox, enum outbox_statement which, int64_t id, bool *out) MUST_USE;
/* To its end: what changes and gives no row. */
enum status outbox_run(struct outbox *outbox, sqlite3_stmt *statement) MUST_USE;
/* The same of a statement with a number alone. */
enum status outbox_run_on(struct outbox *outbox, enum outbox_statement which, int64_t number) MUST_USE;
/* Views into the current row, valid until the next step. */
struct str outbox_column_str(sqlite3_stmt *statement, int at);
/* Of any result of SQLite: what the store does about it. */
enum status outbox_status_of(struct outbox *outbox, int result);
/* Opens the group if there is none; the reason why not. */
enum status outbox_begin(struct outbox *outbox) MUST_USE;
/* Ends a call that changes: on trouble beyond the call's own refusal the group is given up. */
enum status outbox_end(struct outbox *outbox, enum status status);
void outbox_count(struct outbox *outbox, int64_t destination, enum outbox_state state, int by);

/* --- gather.c: what SQLite writes, in fewer calls --- */
enum status outbox_gather_open(struct outbox *outbox) MUST_USE;
/* After the database is closed. */
void outbox_gather_close(struct outbox *outbox);
/* False: the disk failed. */
bool outbox_sync_log(const struct outbox *outbox);

/* --- open.c: its pieces, for who only looks --- */
enum status outbox_allocate(const struct outbox_params *params, struct outbox **out) MUST_USE;
enum status outbox_prepare(struct outbox *outbox, enum outbox_statement which) MUST_USE;
enum status outbox_quick_check(struct outbox *outbox, struct diag_list *diags) MUST_USE;
enum status outbox_read_store(struct outbox *outbox) MUST_USE;
enum status outbox_check_generation(struct outbox *outbox, const struct outbox_params *params, struct diag_list *diags) MUST_USE;

/* --- schema.c --- */
enum { OUTBOX_SCHEMA = 14, OUTBOX_APPLICATION = 0x4B4C4F42 /* KLOB */, OUTBOX_COPY = 0x4B4C4F43 /* of outbox_backup_begin */ };
/* Whether it is a store of ours, and not a newer one or a copy; 0: there is none yet. */
enum status outbox_schema_check(struct outbox *outbox, bool accept_restored, struct diag_list *diags, int64_t *version) MUST_USE;
enum status outbox_schema_up(struct outbox *outbox, bool accept_restored, struct diag_list *diags) MUST_USE;
/* A copy is the store from now on: in the group. */
enum status outbox_schema_own(struct outbox *outbox) MUST_USE;

/* --- place.c: the file system below --- */
/* Holds the lock of the folder; RETRY when another process has it. */
enum status outbox_place_lock(const char *folder, struct arena *arena, struct diag_list *diags,
                              int *out) MUST_USE;
/* The file of the store, made for its owner alone: SQLite would ask the umask. */
/* CONFLICT: it is a copy, beside the log of another store. */
enum status outbox_place_file(const char *path, struct arena *arena, struct diag_list *diags) MUST_USE;
/* Makes the names in the folder durable: SQLite syncs the files, not that they exist. */
enum status outbox_place_sync(const char *folder) MUST_USE;
uint64_t outbox_place_free(const char *folder);
void outbox_refuse(struct diag_list *diags, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* --- seal.c --- */
enum status outbox_seal_open(struct outbox *outbox) MUST_USE;
void outbox_seal_close(struct outbox *outbox);
/* The roots from the first data key. */
void outbox_seal_roots(struct outbox *outbox, const unsigned char root[OUTBOX_KEY_BYTES]);
/* Of the host's randomness, at most 1024 bytes. */
enum status outbox_random(struct outbox *outbox, void *bytes, size_t count) MUST_USE;
struct outbox_digest {
  unsigned char bytes[DIGEST_BYTES];
};
struct outbox_digest outbox_digest(struct str bytes);
/* HMAC-SHA256 under the index key over `domain` and the digests of the parts, at most MARK_PARTS_MAX. */
void outbox_mark(const struct outbox *outbox, char domain, const struct outbox_digest *parts, size_t count,
                 unsigned char out[MARK_BYTES]);
/* HMAC-SHA256 under the audit key. */
void outbox_chain(const struct outbox *outbox, struct str bytes, unsigned char out[CHAIN_BYTES]);
/* HKDF-SHA256 (RFC 5869), one block. */
void outbox_derive(const unsigned char key[OUTBOX_KEY_BYTES], struct str salt, struct str use, unsigned char out[OUTBOX_KEY_BYTES]);
/* Its second half: from a key that is as good as random. `use` has at most 62 bytes. */
void outbox_expand(const unsigned char key[OUTBOX_KEY_BYTES], struct str use, unsigned char out[OUTBOX_KEY_BYTES]);
/* What a sealed thing belongs to. */
struct seal_place {
  enum seal_use use;
  int64_t destination, record, lane;
  uint32_t key; /* data key */
  const unsigned char *nonce; /* NONCE_BYTES, drawn for it alone; NULL: it is drawn when it is sealed */
};
/* Of a row of the ledger: its mark tells it from all others. */
struct seal_place outbox_place_of_mark(enum seal_use use, int64_t destination, const unsigned char mark[MARK_BYTES]);
/* AES-256-GCM; *out is nonce, text, tag in the arena. */
enum status outbox_seal(struct outbox *outbox, const unsigned char key[OUTBOX_KEY_BYTES],
                        const struct seal_place *place, struct str text, struct arena *arena,
                        struct str *out) MUST_USE;
/* INVALID when it is not what was sealed there. */
enum status outbox_unseal(struct outbox *outbox, const unsigned char key[OUTBOX_KEY_BYTES],
                          const struct seal_place *place, struct str sealed, struct arena *arena,
                          struct str *out) MUST_USE;

/* --- press.c --- */
/* *out is shorter, in the arena, or `text` itself: there is nothing to win. */
enum status outbox_press(struct str text, struct arena *arena, struct str *out) MUST_USE;
/* The `len` bytes of which it was made, with a 0 behind them. INVALID: it was not made of so many. */
enum status outbox_unpress(struct str pressed, size_t len, struct arena *arena, struct str *out) MUST_USE;

/* --- keys.c --- */
/* Unwraps the data keys, makes the first ones, wraps anew what an older store key wrapped. */
enum status outbox_data_keys_read(struct outbox *outbox, const struct outbox_keys *keys, bool *old) MUST_USE;
void outbox_keys_refuse(const struct outbox *outbox, struct diag_list *diags);
enum status outbox_data_keys_load(struct outbox *outbox, const struct outbox_keys *keys,
                                  struct diag_list *diags) MUST_USE;

/* A new store key, into the trail. */
enum status outbox_keys_audit(struct outbox *outbox) MUST_USE;

/* --- lane.c --- */
enum status outbox_destination_id(struct outbox *outbox, struct str name, bool add, int64_t *out) MUST_USE;
/* Lets the lane's oldest open record go next, or nobody: also not while one is on its way. */
enum status outbox_lane_turn(struct outbox *outbox, int64_t lane) MUST_USE;
/* A record goes: nobody else until it is over. */
enum status outbox_lane_sends(struct outbox *outbox, int64_t lane, int64_t record) MUST_USE;
enum status outbox_lane_over(struct outbox *outbox, int64_t lane) MUST_USE;

/* --- list.c: a row as it stands in the store --- */
struct outbox_stored {
  struct outbox_row row; /* label unsealed */
  int64_t destination, lane;
  uint32_t data_key;
  unsigned char salt[SALT_BYTES];
  bool is_revision; /* of a subject */
  bool has_payload_salt; /* else its payload is sealed under the record's key: an older version accepted it, or it is over */
  unsigned char payload_salt[PAYLOAD_SALT_BYTES];
};
/* NOT_FOUND; INVALID: the label does not open (the rest is set). */
enum status outbox_fetch(struct outbox *outbox, int64_t id, struct arena *arena,
                         struct outbox_stored *out) MUST_USE;
/* With its payload, which NOT_FOUND leaves empty. Not into the scratch arena. */
enum status outbox_fetch_all(struct outbox *outbox, int64_t id, struct arena *arena,
                             struct outbox_stored *out, struct str *payload) MUST_USE;
/* Only destination, lane, state, attempts and whether its payload has a salt. */
enum status outbox_fetch_bare(struct outbox *outbox, int64_t id, struct outbox_stored *out) MUST_USE;
/* Its payload. NOT_FOUND: it is gone; INVALID: it does not open. */
enum status outbox_payload_of(struct outbox *outbox, const struct outbox_stored *stored, struct arena *arena,
                              struct str *out) MUST_USE;
/* The record's own key; wipe it after use. INVALID: its data key is gone. */
enum status outbox_record_key(const struct outbox *outbox, uint32_t data_key,
                              const unsigned char salt[SALT_BYTES],
                              unsigned char out[OUTBOX_KEY_BYTES]) MUST_USE;
/* The key of its payload, from the record's; wipe it after use. */
void outbox_payload_key(const unsigned char record_key[OUTBOX_KEY_BYTES], const unsigned char salt[PAYLOAD_SALT_BYTES], unsigned char out[OUTBOX_KEY_BYTES]);
/* Changes the state with all that hangs on it but the lane's head; when it is over the salt of its payload is gone. */
struct outbox_change {
  enum outbox_state state;
  bool blocks;
  struct str reason;
  int attempts; /* more */
  int faults;   /* more; -1: they are counted anew */
  bool at_once; /* the first attempt, which delivered it: */
  int64_t took_ms;
  int http_status;
  int64_t due, now;
};
enum status outbox_change(struct outbox *outbox, const struct outbox_stored *stored,
                          const struct outbox_change *change) MUST_USE;

/* --- dedupe.c: what came before is known again --- */
/* Of those of before schema 6 whether there are any; of the newest where they are. In a group, as all of these. */
enum status outbox_dedupe_load(struct outbox *outbox) MUST_USE;
struct outbox_dedupe outbox_dedupe_of(struct outbox *outbox, const struct outbox_message *message);
/* NOT_FOUND: never seen. Of what was, the first of its records. */
enum status outbox_dedupe_find(struct outbox *outbox, const struct outbox_dedupe *dedupe, enum outbox_answer *answer,
                               int64_t *id) MUST_USE;
/* Before one is kept, of whatever kind. */
enum status outbox_dedupe_room(struct outbox *outbox) MUST_USE;
/* It stands with the event `number` of the trail. */
void outbox_dedupe_note(struct outbox *outbox, const struct outbox_dedupe *dedupe, int64_t number, int64_t now);
/* One that no event tells of. */
enum status outbox_dedupe_add(struct outbox *outbox, const struct outbox_dedupe *dedupe, int64_t first, int64_t now) MUST_USE;
/* The newest move to where the sweep finds them, when some came before, or the trail is to go, or has grown. */
enum status outbox_dedupe_settle_old(struct outbox *outbox, int64_t before) MUST_USE;
/* A group was given up. */
void outbox_dedupe_forget(struct outbox *outbox);

/* --- fresh.c: the newest records in their lanes. When a group is open, but outbox_fresh_oldest --- */
/* From `now.fresh_from` on. */
enum status outbox_fresh_load(struct outbox *outbox) MUST_USE;
/* One that comes, before its row is there; of one that holds no place only how far the others have been left behind. */
enum status outbox_fresh_add(struct outbox *outbox, int64_t lane, int64_t record, bool holds) MUST_USE;
enum status outbox_fresh_is(struct outbox *outbox, int64_t lane, int64_t record, bool *out) MUST_USE;
/* One of them holds no place any more. */
void outbox_fresh_over(struct outbox *outbox, int64_t lane, int64_t record);
/* The oldest of the lane, of all; 0: none. */
enum status outbox_fresh_first(struct outbox *outbox, int64_t lane, int64_t *out) MUST_USE;
enum status outbox_fresh_oldest(struct outbox *outbox, int64_t *out) MUST_USE;
/* All of them into the index: before a statement asks it for more than the first of a lane. */
enum status outbox_fresh_settle(struct outbox *outbox) MUST_USE;
/* What a statement, which asks the index, says of a record whose subject has a higher revision; of another: false. */
enum status outbox_fresh_ask_higher(struct outbox *outbox, enum outbox_statement which, int64_t id, bool *out) MUST_USE;
/* A group was given up. */
void outbox_fresh_forget(struct outbox *outbox);

/* --- handed.c: what came a moment ago, for who claims it --- */
/* What `of` says, with copies of the texts, unless there is no room. */
void outbox_hand_over(struct outbox *outbox, const struct outbox_handed *of, struct str kind, struct str label, struct str pressed);
/* NULL: it is not here. Until the next call that changes. */
const struct outbox_handed *outbox_handed_of(struct outbox *outbox, int64_t id);
/* Kind, label and payload, copied. NOMEM: it does not fit. */
enum status outbox_handed_read(const struct outbox_handed *handed, struct arena *arena, struct outbox_claim *out) MUST_USE;
void outbox_handed_forget(struct outbox *outbox, int64_t id);
/* A group was given up, there is nothing to do, or the store is closed. */
void outbox_handed_forget_all(struct outbox *outbox);

/* --- ledger.c --- */
/* Whether there are places that schemas before 7 wrote. */
enum status outbox_ledger_load(struct outbox *outbox) MUST_USE;
/* Of which family the places of a key are; a view of it. */
struct str outbox_family_of(struct str key);
/* A group was given up, or the store is closed. */
void outbox_ledger_forget(struct outbox *outbox);

/* --- index.c --- */
/* The beginning of a mark, in the order of marks. */
uint64_t outbox_index_key(const unsigned char mark[MARK_BYTES]);
/* There is room: fewer than INDEX_MAX are there. */
void outbox_index_add(struct outbox_index *index, uint64_t key, int64_t row);
/* The next row of that key, in the order in which they came; 0: none. *steps begins with 0. */
int64_t outbox_index_next(const struct outbox_index *index, uint64_t key, size_t *steps);
/* Its `count` slots are the first, in the order of their keys as numbers with a sign; until it is cleared nothing is found. */
void outbox_index_sort(struct outbox_index *index);
/* Nothing is new behind `settled`. */
void outbox_index_clear(struct outbox_index *index, int64_t settled);

/* --- sieve.c: which keys the trees lack --- */
/* True: the tree has no row of that key. */
bool outbox_sieve_lacks(const struct outbox *outbox, enum outbox_tree tree, uint64_t key);
/* It is put into a tree now. */
void outbox_sieve_note(struct outbox *outbox, uint64_t key);
/* Of a tree that got what was not noted. */
void outbox_sieve_forget(struct outbox *outbox, enum outbox_tree tree);
/* Of a group that is given up. */
void outbox_sieve_forget_all(struct outbox *outbox);
/* Some more of what the trees have, so many rows at most. */
enum status outbox_sieve_learn(struct outbox *outbox, size_t budget) MUST_USE;

/* --- rows.c: where they are. In a group, but outbox_rows_find --- */
/* The trees of a store whose schema is 13 from now on. */
enum status outbox_rows_fill(struct outbox *outbox) MUST_USE;
enum status outbox_rows_load(struct outbox *outbox) MUST_USE;
/* Of one that was found: `value` as its statement says it, in statements.def. */
struct outbox_found {
  int64_t id, value;
};
/* NOT_FOUND: there is none. */
enum status outbox_rows_find(struct outbox *outbox, enum outbox_rows which, int64_t destination, const unsigned char mark[MARK_BYTES],
                             struct outbox_found *out) MUST_USE;
/* The number of a new one, before it is written. */
enum status outbox_rows_add(struct outbox *outbox, enum outbox_rows which, int64_t destination, const unsigned char mark[MARK_BYTES],
                            int64_t *id) MUST_USE;
/* A family's row. */
enum status outbox_rows_drop(struct outbox *outbox, int64_t destination, const unsigned char mark[MARK_BYTES], int64_t id) MUST_USE;
/* A group was given up. */
void outbox_rows_forget(struct outbox *outbox);

/* --- family.c: rows of the ledger --- */
/* A place as it stands in its family's row; empty: no memory. */
struct str outbox_entry_write(struct str identifier, const struct outbox_place *place, struct arena *arena);
enum status outbox_entry_read(struct str entry, struct arena *arena, struct outbox_place *out) MUST_USE;
/* The same identifier's entry with another place. */
struct str outbox_entry_again(struct str entry, const struct outbox_place *place, struct arena *arena);
/* The order in which they stand there; 0: both are of one identifier. */
int outbox_entry_order(struct str a, struct str b);
int outbox_entry_order_of(struct str entry, const struct outbox_digest *identifier);
/* A digest of 32 bytes in hexadecimal; empty: it is none, or no memory. */
struct str outbox_unpack(struct str packed, struct arena *arena);
/* The entry is a view until the next call. NOT_FOUND; INVALID: its row does not open. */
enum status outbox_family_find(struct outbox *outbox, int64_t destination, struct str family, struct str identifier,
                               struct str *entry) MUST_USE;
/* Looks at each entry of a family in their order, a view until it returns; *written is that entry, or becomes another one
   of the same identifier, in the scratch arena, which is written in its place. What lies there since is gone with the row. */
struct outbox_walker {
  struct outbox *outbox;
  enum status (*look)(struct outbox_walker *walker, struct str entry, struct str *written);
  int64_t now;
};
/* What does not open is not looked at. In the group when something changes. */
enum status outbox_family_walk(struct outbox_walker *walker, int64_t destination, struct str family) MUST_USE;
/* Entries in their order, at most one of an identifier; in the group. */
enum status outbox_family_put(struct outbox *outbox, int64_t destination, struct str family, const struct str *entries, size_t count,
                              int64_t now) MUST_USE;
void outbox_families_forget(struct outbox *outbox);

/* --- decide.c --- */
/* Of a record that is over. */
enum status outbox_payload_drop(struct outbox *outbox, const struct outbox_stored *stored) MUST_USE;

/* --- audit.c --- */
enum status outbox_audit_load(struct outbox *outbox) MUST_USE;
enum status outbox_audit_add(struct outbox *outbox, const struct outbox_event *event) MUST_USE;
/* With the key of the message that it tells of. */
enum status outbox_audit_add_key(struct outbox *outbox, const struct outbox_event *event, const struct outbox_dedupe *key) MUST_USE;

/* --- sweep.c --- */
/* Counts the records anew, and finds the first of the newest. `sending`: the first of them that is on its way. */
enum status outbox_tally_load(struct outbox *outbox, int64_t *sending) MUST_USE;
/* Open ones, with the group. */
size_t outbox_count_open(const struct outbox *outbox);
/* After a commit: the log into the store when it has grown. */
enum status outbox_checkpoint(struct outbox *outbox, bool empty) MUST_USE;

#endif
