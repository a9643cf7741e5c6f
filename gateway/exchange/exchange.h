/*
 * exchange.h - one Bundle to one server, as a conversation: part by part, settled entry by entry.
 *
 * Purpose. run.c runs the parts of a plan: what is waiting is looked for where the destination wants that
 * (look.c), sent, and settled by the answer (settle.c). Only what failed for a passing cause goes out again,
 * after a wait; an answer that was lost is settled by looking. What refers to a resource that failed waits
 * for it. back.c reads afterwards what was kept. It is written as if requests blocked: the *channel* carries
 * them, for the command line by waiting, for the relay on a stack that is set aside meanwhile. Ownership: all
 * that is made lives in the job's arena. Threads: one job, one thread. Errors: the first trouble decides the
 * status; findings tell each.
 */
#ifndef KETLINK_EXCHANGE_EXCHANGE_H
#define KETLINK_EXCHANGE_EXCHANGE_H

#include "bundle/bundle.h"
#include "delivery/message.h"

enum exchange_state {
  EXCHANGE_WAITING,   /* not settled yet */
  EXCHANGE_STORED,    /* the server confirmed it */
  EXCHANGE_SAME,      /* it was there, and is what the record says */
  EXCHANGE_REFERRED,  /* it was there, and is not ours to write */
  EXCHANGE_ABSENT,    /* it was not there, and is not ours to make */
  EXCHANGE_FIXED,     /* it was there otherwise, and cannot be corrected by interface */
  EXCHANGE_REFUSED,   /* for good */
  EXCHANGE_FAILED,    /* for a passing cause that outlasted the retries, or the answer stayed unknown */
  EXCHANGE_HELD_BACK, /* what it refers to is not there */
  EXCHANGE_UNTRIED    /* the delivery stopped before */
};
enum exchange_kept {
  EXCHANGE_NOT_READ,
  EXCHANGE_KEPT,
  EXCHANGE_CHANGED,
  EXCHANGE_DISCARDED,
  EXCHANGE_UNREADABLE
};

enum { EXCHANGE_NAMES = 8, EXCHANGE_LONGEST_MS = 10000 /* that a command waits for a server */ };

struct exchange_item {
  enum exchange_state state;
  struct delivery_entry answer;   /* the server's last word; status 0: none */
  bool look;                      /* to be looked for before it is sent (again) */
  bool looked;                    /* and it was; `theirs` NULL: not there */
  bool confirmed;                 /* a condition matched, and what is there has been compared */
  const struct tree_node *theirs; /* what the server holds */
  bool own;                       /* by our own identifier */
  size_t waits_for;
  enum exchange_kept kept;
  struct str names[EXCHANGE_NAMES]; /* elements that the server has otherwise */
  size_t name_count;
};

struct exchange_job;
/* How requests travel. */
struct exchange_channel {
  void *context;
  enum status (*send)(void *context, const struct delivery_request *request, struct arena *arena,
                      struct delivery_answer *answer);
  void (*wait)(void *context, int64_t ms);
  void (*progress)(void *context, size_t done, size_t total); /* parts; or NULL */
  /* The plan is made and nothing is sent yet: what is known to be there may be set to EXCHANGE_SAME with its location.
     Not OK ends it. Or NULL. */
  enum status (*planned)(void *context, struct exchange_job *job);
};

/* One record on its way. */
struct exchange_job {
  const struct exchange_channel *channel;
  const struct bundle_params *bundle;
  const struct delivery_destination *destination;
  const struct bundle_report *report; /* what does not go */
  struct diag_list *diags;            /* of the record */
  struct arena *arena;                /* of the record */
  bool look_first; /* an earlier try may have arrived: look for everything before it is sent */
  struct bundle_plan plan;
  struct bundle_known *known;  /* by entry of the plan */
  struct exchange_item *items; /* by entry of the plan */
  bool settling; /* the server may still be at work on what was sent last: settle_ms before it goes again */
  int64_t retry_after_ms;      /* what the server last asked for; -1: nothing */
  long last_status;            /* HTTP status of the last GET */
  enum status worst;           /* the first trouble */
};

/* Sends all parts in order. `bundle` NULL: the text of its params, see bundle_plan_make. The first trouble decides the status. */
enum status exchange_run(struct exchange_job *job, struct tree_node *bundle);
/* How many resources the server holds as the record says, by its own word. */
size_t exchange_stored(const struct exchange_job *job);
/* How many of them were there already. */
size_t exchange_unchanged(const struct exchange_job *job);
/* How many were read back with this result. */
size_t exchange_kept(const struct exchange_job *job, enum exchange_kept kept);
/* Of a resource of the plan in compact JSON: SHA-256 in lower-case hexadecimal. */
enum status exchange_digest(const struct exchange_job *job, size_t index, struct str *out) MUST_USE;
/* Keys may hold a record number: people see the place in the record, never the patient's number. */
struct str exchange_key(const struct exchange_job *job, size_t index);

/* --- HL7 v2 --- */

struct exchange_message_channel {
  void *context;
  enum status (*send)(void *context, const struct delivery_message *message, struct arena *arena,
                      struct delivery_answer *answer);
  void (*wait)(void *context, int64_t ms); /* NULL: who calls tries again */
};
struct exchange_message {
  struct str bytes, control;
  unsigned errors; /* AE or CE that it has had before */
  int64_t wait_ms; /* before it goes again; doubled each time */
};
/* The same bytes again after AE or CE, until the destination's `attempts` are used up; then, and after AR or CR, the answer's
   verdict is DELIVERY_PARK. What is unknown goes again too, but not from here: the receiver knows the control id. */
enum status exchange_message(const struct exchange_message_channel *channel, const struct exchange_message *message,
                             struct arena *arena, struct delivery_answer *out) MUST_USE;
/* MSA-1 and MSA-2 of a frame; for delivery_message. */
bool exchange_read_acknowledgement(struct str frame, struct arena *arena, struct delivery_acknowledgement *out);

#endif
