/* internal.h - private to exchange. */
#ifndef KETLINK_EXCHANGE_INTERNAL_H
#define KETLINK_EXCHANGE_INTERNAL_H

#include "exchange/exchange.h"

/* Waits before repetition `number` (from 1), as the destination and the server's last answer want it. */
void exchange_wait(struct exchange_job *job, unsigned number);
/* A GET with its repetitions. */
enum status exchange_get(struct exchange_job *job, struct str path, struct delivery_answer *out) MUST_USE;
/* Looks for an entry and fills theirs, own and the known location. CONFLICT: several; else why it cannot be
 * told. */
enum status exchange_look(struct exchange_job *job, size_t index) MUST_USE;
/* Settles waiting entries of a part that were looked for. */
enum status exchange_decide(struct exchange_job *job, size_t part) MUST_USE;
/* The Bundle of what waits in a part. CONFLICT: something lacks a reference that it must have. */
enum status exchange_make(struct exchange_job *job, size_t part, struct tree_node **bundle) MUST_USE;
/* Settles one entry by its answer; true when it failed for a passing cause. */
bool exchange_settle(struct exchange_job *job, size_t index, const struct delivery_entry *answer);
/* Reports a request that failed. */
enum status exchange_failure(struct exchange_job *job, const struct delivery_answer *answer);
/* Reads back what was stored. */
void exchange_read_back(struct exchange_job *job);
/* Notes the first trouble. */
void exchange_note_worst(struct exchange_job *job, enum status status);

#endif
