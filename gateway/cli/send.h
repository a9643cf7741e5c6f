/*
 * send.h - private to cli: delivering one record's Bundle, part by part, settled entry by entry.
 *
 * send.c runs the parts: what is waiting is looked for where the destination wants that (send_look.c), sent, and
 * settled by the answer (send_settle.c). Only what failed for a passing cause goes out again, after a wait; an
 * answer that was lost is settled by looking. What refers to a resource that failed waits for it. send_back.c
 * reads afterwards what was kept, send_print.c tells it all.
 */
#ifndef KETLINK_CLI_SEND_H
#define KETLINK_CLI_SEND_H

#include "bundle/bundle.h"
#include "cli/cli.h"
#include "delivery/delivery.h"

enum send_state {
  SEND_WAITING,   /* not settled yet */
  SEND_STORED,    /* the server confirmed it */
  SEND_SAME,      /* it was there, and is what the record says */
  SEND_REFERRED,  /* it was there, and is not ours to write */
  SEND_ABSENT,    /* it was not there, and is not ours to make */
  SEND_FIXED,     /* it was there otherwise, and cannot be corrected by interface */
  SEND_REFUSED,   /* for good */
  SEND_FAILED,    /* for a passing cause that outlasted the retries, or the answer stayed unknown */
  SEND_HELD_BACK, /* what it refers to is not there */
  SEND_UNTRIED    /* the delivery stopped before */
};
enum send_kept { SEND_NOT_READ, SEND_KEPT, SEND_CHANGED, SEND_DISCARDED, SEND_UNREADABLE };

enum { SEND_NAMES = 8, SEND_LONGEST_MS = 10000 /* that a command waits for a server */ };

struct send_item {
  enum send_state state;
  struct delivery_entry answer;   /* the server's last word; status 0: none */
  bool look;                      /* to be looked for before it is sent (again) */
  bool looked;                    /* and it was; `theirs` NULL: not there */
  bool confirmed;                 /* a condition matched, and what is there has been compared */
  const struct tree_node *theirs; /* what the server holds */
  bool own;                       /* by our own identifier */
  size_t waits_for;
  enum send_kept kept;
  struct str names[SEND_NAMES]; /* elements that the server has otherwise */
  size_t name_count;
};

/* One record on its way. */
struct send_job {
  struct cli *cli;
  const struct bundle_params *bundle;
  struct delivery_client *client;
  const struct delivery_destination *destination;
  const struct bundle_report *report; /* what does not go */
  struct diag_list *diags;            /* of the record */
  struct arena *arena;                /* of the record */
  struct bundle_plan plan;
  struct bundle_known *known; /* by entry of the plan */
  struct send_item *items;    /* by entry of the plan */
  int64_t retry_after_ms;     /* what the server last asked for; -1: nothing */
  long last_status;           /* HTTP status of the last GET */
  enum status worst;          /* the first trouble */
};

/* Sends all parts in order. The first trouble decides the status. */
enum status send_bundle(struct send_job *job, struct tree_node *bundle);
/* One line (or JSON object) per resource: what the server holds now, and what did not go. */
void send_print(const struct send_job *job);
/* How many resources the server holds as the record says, by its own word. */
size_t send_stored(const struct send_job *job);
/* How many of them were there already. */
size_t send_unchanged(const struct send_job *job);
/* How many were read back with this result. */
size_t send_kept(const struct send_job *job, enum send_kept kept);

/* --- between the files of send --- */

/* Keys may hold a record number: people see the place in the record, never the patient's number. */
struct str send_key(const struct send_job *job, size_t index);
/* Waits before repetition `number` (from 1), as the destination and the server's last answer want it. */
void send_wait(struct send_job *job, unsigned number);
/* A GET with its repetitions. */
enum status send_get(struct send_job *job, struct str path, struct delivery_answer *out) MUST_USE;
/* Looks for an entry and fills theirs, own and the known location. CONFLICT: several; else why it cannot be told. */
enum status send_look(struct send_job *job, size_t index) MUST_USE;
/* Settles waiting entries of a part that were looked for. */
enum status send_decide(struct send_job *job, size_t part) MUST_USE;
/* The Bundle of what waits in a part. CONFLICT: something lacks a reference that it must have. */
enum status send_make(struct send_job *job, size_t part, struct tree_node **bundle) MUST_USE;
/* Settles one entry by its answer; true when it failed for a passing cause. */
bool send_settle(struct send_job *job, size_t index, const struct delivery_entry *answer);
/* Reports a request that failed. */
enum status send_failure(struct send_job *job, const struct delivery_answer *answer);
/* Reads back what was stored. */
void send_read_back(struct send_job *job);
/* Notes the first trouble. */
void send_note_worst(struct send_job *job, enum status status);

#endif
