/*
 * sieve.c - which keys the trees lack: nearly all of what is asked for is new, and was looked for in five trees, a page of each.
 *
 * Three bits of each key, in a line of memory that the key tells (a Bloom filter): of a key whose bits are not all there the tree has
 * nothing. It tells so only of a tree that has been learnt as a whole: after the start its keys are read, some at a time. What goes into
 * a tree meanwhile is noted at once; what leaves it, or was in a group that was given up, stays noted, and is looked for in vain. Such a
 * group may have taken rows away before the rest was learnt: they are there again, so all is learnt anew.
 */
#include "outbox/internal.h"

enum { BITS = 3, BIT_WIDTH = 9 /* 512 of a line */ };

/* Of keys all bits are as good as random (HMAC). */
static size_t line_of(uint64_t key) {
  return (key >> 32) % SIEVE_LINES;
}

bool outbox_sieve_lacks(const struct outbox *outbox, enum outbox_tree tree, uint64_t key) {
  const uint64_t *line = outbox->sieve.lines[line_of(key)];
  if (!outbox->sieve.learning[tree].whole) return false;
  for (unsigned i = 0; i < BITS; i++, key >>= BIT_WIDTH)
    if (!(line[key % 512 / 64] >> key % 64 & 1)) return true;
  return false;
}

void outbox_sieve_note(struct outbox *outbox, uint64_t key) {
  uint64_t *line = outbox->sieve.lines[line_of(key)];
  for (unsigned i = 0; i < BITS; i++, key >>= BIT_WIDTH)
    line[key % 512 / 64] |= UINT64_C(1) << key % 64;
}

void outbox_sieve_forget(struct outbox *outbox, enum outbox_tree tree) {
  outbox->sieve.learning[tree] = (struct outbox_learning){0};
}

void outbox_sieve_forget_all(struct outbox *outbox) {
  memset(outbox->sieve.learning, 0, sizeof outbox->sieve.learning);
}

/* --- learning --- */

/* A row of a tree; the next rows are asked for behind it. */
static void learn_number(struct outbox *outbox, struct outbox_learning *learning, sqlite3_stmt *row) {
  int64_t key = sqlite3_column_int64(row, 0);
  outbox_sieve_note(outbox, (uint64_t)key);
  memcpy(learning->last, &key, sizeof key);
  learning->len = sizeof key;
}

static void learn_mark(struct outbox *outbox, struct outbox_learning *learning, sqlite3_stmt *row) {
  struct str mark = outbox_column_str(row, 0);
  bool fits = mark.len == MARK_BYTES; /* another has been put there by other hands, and is never looked for */
  if (fits) outbox_sieve_note(outbox, outbox_index_key((const unsigned char *)mark.ptr));
  learning->len = fits ? MARK_BYTES : mark.len < MARK_BYTES ? mark.len : MARK_BYTES;
  if (learning->len) memcpy(learning->last, mark.ptr, learning->len);
}

static void bind_number(sqlite3_stmt *rows, const struct outbox_learning *learning) {
  int64_t last = INT64_MIN;
  if (learning->len) memcpy(&last, learning->last, sizeof last);
  if (learning->len && last < INT64_MAX) last++;
  sqlite3_bind_int64(rows, 1, last);
}

static void bind_mark(sqlite3_stmt *rows, const struct outbox_learning *learning) {
  outbox_bind_blob(rows, 1, learning->last, learning->len);
}

static const struct learner {
  enum outbox_statement rows;
  void (*bind)(sqlite3_stmt *rows, const struct outbox_learning *learning);
  void (*learn)(struct outbox *outbox, struct outbox_learning *learning, sqlite3_stmt *row);
} learners[TREES] = {
    [TREE_FAMILIES] = {STATEMENT_FAMILY_KEYS, bind_number, learn_number},
    [TREE_LANES] = {STATEMENT_LANE_KEYS, bind_number, learn_number},
    [TREE_SUBJECTS] = {STATEMENT_SUBJECT_KEYS, bind_number, learn_number},
    [TREE_DEDUPE] = {STATEMENT_DEDUPE_KEYS, bind_mark, learn_mark},
};

/* At most *budget rows, which it takes from it. */
static enum status learn(struct outbox *outbox, enum outbox_tree tree, size_t *budget) {
  const struct learner *learner = &learners[tree];
  struct outbox_learning *learning = &outbox->sieve.learning[tree], next = *learning;
  enum status status = STATUS_OK;
  sqlite3_stmt *rows = outbox_statement(outbox, learner->rows);
  learner->bind(rows, learning);
  while (*budget && (status = outbox_row_step(outbox, rows)) == STATUS_OK) {
    learner->learn(outbox, &next, rows);
    --*budget;
  }
  sqlite3_reset(rows);
  *learning = next;
  learning->whole = status == STATUS_NOT_FOUND;
  return learning->whole ? STATUS_OK : status;
}

enum status outbox_sieve_learn(struct outbox *outbox, size_t budget) {
  enum status status = STATUS_OK;
  for (enum outbox_tree tree = 0; status == STATUS_OK && budget && tree < TREES; tree++)
    if (!outbox->sieve.learning[tree].whole) status = learn(outbox, tree, &budget);
  return status;
}
