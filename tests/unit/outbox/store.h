/* store.h - a store in a folder of its own for a test, and short words for what tests do with it. */
#ifndef TEST_OUTBOX_STORE_H
#define TEST_OUTBOX_STORE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "outbox/outbox.h"

struct store {
  char folder[64];
  struct outbox_keys keys;
  struct arena *arena;
  struct diag_list diags;
  struct outbox_params params;
  struct outbox *outbox;
  int64_t now;
};

/* cmocka set-up and tear-down; the folder is deleted. */
int store_setup(void **state);
int store_teardown(void **state);
/* Opens again, as after the end of the process. */
void store_reopen(struct store *store);
void store_close(struct store *store);
/* Tries to open; the status, and in `diags` why. */
enum status store_try(struct store *store);
/* Whether a diagnostic says `part`. */
bool store_said(const struct store *store, const char *part);
/* A file of the store's folder. */
const char *store_path(struct store *store, const char *name);
/* Changes the closed database by SQL, as a broken disk or other hands would. */
void store_sql(struct store *store, const char *sql);

/* Accepts one record and commits; its id. */
int64_t store_put(struct store *store, const char *destination, const char *lane, const char *payload);
enum status store_claim(struct store *store, const char *destination, struct outbox_claim *out);
void store_finish(struct store *store, int64_t id, enum outbox_state state, int64_t next_at);
/* Puts one place of the ledger, in the group. */
enum status store_place(struct store *store, struct str destination, struct str key, struct str identifier,
                        const struct outbox_place *place);
struct outbox_row store_row(struct store *store, int64_t id);
size_t store_count(struct store *store, enum outbox_state state);

#endif
