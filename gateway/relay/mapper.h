/*
 * mapper.h - private to relay: texts are mapped on a thread of their own, while the loop stores, acknowledges and delivers what
 * came before. There is one mapper for large posted texts, and one for messages of HL7 v2, which wait for no large text.
 *
 * Order. What is given is done in the order in which it was given, and nothing that comes later overtakes it: relay_mapper_wants
 * says whether a text must wait behind others. Ownership. A task goes from the loop to the thread and back; between them they
 * share nothing but the queue, under its lock, and ways and configuration, which do not change. What becomes of a text may have
 * its `room`: it is done as NOMEM when it needs more, and the loop maps it, which keeps no more than one record of it. Of what
 * the thread has ready, as much lies waiting as has MAPPER_READY_BYTES of room, then it rests.
 *
 * Threads: all calls on the loop's; `done` is called there. Without a thread (no memory, a limit of the system) everything is
 * mapped by the loop.
 */
#ifndef KETLINK_RELAY_MAPPER_H
#define KETLINK_RELAY_MAPPER_H

#include "relay/map.h"

enum {
  MAPPER_SMALL_BYTES = 8 << 10, /* of a text */
  MAPPER_SMALL_ROOM = 1 << 20,  /* for what becomes of a small one, where the caller says so */
  MAPPER_TASK_BYTES = 32 << 20,
  MAPPER_READY_BYTES = 2 * MAPPER_TASK_BYTES
};

struct relay_kept;
/* A text and what became of it. The caller sets the first group; `text` lives until the task is done. */
struct relay_task {
  struct relay_input input;
  size_t room; /* for what becomes of it; 0: MAPPER_TASK_BYTES */
  size_t piece; /* of a text with a record a line: what becomes of it fills so much at a time; 0: the whole is done at once */
  struct relay_point from; /* where to begin; when it is done, how far it came */
  struct diag_list *findings; /* NULL: `diags` */
  void (*done)(void *context, struct relay_task *task); /* the task may be freed there */
  void *context;
  /* what was made */
  struct arena *arena;
  struct diag_list diags;
  struct relay_kept *records;
  size_t bad, parked;
  bool more; /* of a text in pieces: give it again, with `from` */
  enum status status; /* UNAVAILABLE: the relay ended before; NOMEM: to be mapped by the loop */
  /* private */
  struct relay_mapper *mapper; /* keeps its memory; NULL: it is given back */
  struct relay_task *next;
  struct relay_kept **records_end;
  struct relay_ways *ways;
};
struct relay_kept {
  struct relay_kept *next;
  struct relay_mapped mapped;
};

/* After relay_signals_open: threads inherit the mask. */
enum status relay_mapper_open(struct relay *relay, struct relay_mapper **out) MUST_USE;
/* Waits for the thread; what it has not ended is done as UNAVAILABLE. NULL is allowed. */
void relay_mapper_close(struct relay_mapper *mapper);
/* NULL is allowed. */
bool relay_mapper_is_busy(const struct relay_mapper *mapper);
/* Without one the loop maps everything. */
bool relay_mapper_has_thread(const struct relay_mapper *mapper);
/* A text of so many bytes goes to the thread: it is large, or others wait already. */
bool relay_mapper_wants(const struct relay_mapper *mapper, size_t bytes);
/* NOMEM: nothing was taken. Release the task when it is done. */
enum status relay_mapper_give(struct relay_mapper *mapper, struct relay_task *task) MUST_USE;
void relay_task_release(struct relay_task *task);

#endif
