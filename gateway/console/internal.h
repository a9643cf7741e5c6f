/*
 * internal.h - private to console: connections, routes, and the way answers are written.
 *
 *   head.c    the head of a request            listen.c  sockets; console_open and console_close
 *   serve.c   connections: bytes in and out    route.c   who may do what: from head to handler
 *   answer.c  answers, problems, JSON          queue.c   list and show
 *   order.c   a person's decisions             audit.c   the trail, as JSON and as FHIR
 *   metrics.c metrics                         store.c   what stays in the store
 *   health.c  whether it works                check.c   whether exported events are as they were
 */
#ifndef KETLINK_CONSOLE_INTERNAL_H
#define KETLINK_CONSOLE_INTERNAL_H

#include <sys/types.h>
#include "base/socket.h"
#include "console/console.h"
#include "console/head.h"

struct event;
struct evconnlistener;

enum { CONSOLE_LISTENERS = 2, CONSOLE_CLASSES = 6 };

struct console {
  struct console_params params;
  struct evconnlistener *listeners[CONSOLE_LISTENERS]; /* the Unix socket, the port */
  struct event *rest; /* after the system had no descriptors left */
  struct base_listening made[CONSOLE_LISTENERS];
  struct console_reply *replies;
  size_t connections, strangers; /* open ones; of them those of whom nothing is known */
  size_t bodies;                 /* bytes of the bodies that were announced */
  uint64_t pushed_out;           /* strangers who gave way */
  uint64_t answers[CONSOLE_CLASSES]; /* by the first digit of their status */
};

enum console_state {
  CONSOLE_HEAD,  /* the head comes in */
  CONSOLE_BODY,  /* the body comes in */
  CONSOLE_OWED,  /* a handler has it */
  CONSOLE_WRITE, /* the answer goes out */
  CONSOLE_LINGER /* the answer is out; what still comes in is thrown away, so that it is not lost to a reset */
};

struct console_route;

/* Decisions that wait for the disk. */
struct console_decided {
  enum status status; /* what the outbox said to them */
  int64_t through;    /* the trail was exported so far; 0: it is about records */
  int64_t id;         /* one record; 0: many */
  size_t matched, changed;
  size_t missing, overtaken; /* many: not among the changed; without a destination, or passed by a correction and parked for that */
  int64_t last;  /* many: that matched; 0: none did */
  int64_t after; /* many: the last one looked at; 0: there are no more */
};

/* A connection, its one request, and the answer that is owed. */
struct console_reply {
  struct console *console; /* NULL: it is closed, only the answer is still to be called */
  struct console_reply *before, *next;
  int fd;
  bool local;  /* the Unix socket */
  uid_t user;  /* of the other end of it */
  bool stranger;
  bool cut;    /* bytes of the request may still come when the answer is out */
  enum console_state state;
  struct event *readable, *writable, *deadline;
  struct buf in, body, out;
  size_t seen, sent; /* bytes of `in` looked at, of `out` written */
  struct arena *arena; /* of the request; NULL until there is one */
  struct console_head head;
  const struct console_route *route;
  struct console_query query;
  int64_t id;        /* of the path */
  const char *allow; /* of a 405 */
  struct console_decided decided;
};

/* --- serve.c --- */

/* Takes a connection that was accepted. */
void console_serve(struct console *console, int fd, bool local);
/* Begins to read the body, or hands the request to its route when there is none. */
void console_go_on(struct console_reply *reply);
/* The console ends: says 503 to who is owed an answer, and closes. The reply lives on as long as an answer is owed. */
void console_stop(struct console_reply *reply);
/* It has shown that it may: it is no stranger any more, and has the time of a whole request. */
void console_welcome(struct console_reply *reply);
/* The user of this process or root, at the other end of the Unix socket. */
bool console_trusts(const struct console_reply *reply);

/* --- route.c --- */

enum console_take { TAKE_NOTHING, TAKE_RECORD, TAKE_ORDER };

struct console_route {
  const char *method, *path; /* '#' stands for a record's number */
  const char *query;         /* parameters that it has */
  bool open;                 /* for everybody */
  enum console_take takes;
  void (*run)(struct console_reply *reply);
  enum outbox_order order;
};
/* After the head: 0, or the status with which it is refused, already answered. */
void console_route(struct console_reply *reply);
/* Who asks may see the queue. */
bool console_knows(const struct console_reply *reply);
/* The outbox, free to be asked until control goes back to the event loop. */
struct outbox *console_outbox(const struct console *console);

/* --- answer.c --- */

/* One member of a JSON object; each begins with a comma unless the object has just been opened. */
void console_json_key(struct buf *out, const char *key);
void console_json_str(struct buf *out, const char *key, struct str value);
void console_json_int(struct buf *out, const char *key, int64_t value);
void console_json_bool(struct buf *out, const char *key, bool value);
/* Milliseconds since 1970 as an instant in UTC; 0 and INT64_MAX: null. */
void console_json_time(struct buf *out, const char *key, int64_t ms);
/* "Sets the body"; what does not fit or finds no memory becomes a problem. Releases `body`. */
void console_answer_json(struct console_reply *reply, struct buf *body);
void console_answer_as(struct console_reply *reply, int status, const char *type, struct buf *body);
/* What the outbox said, as a problem. */
void console_answer_status(struct console_reply *reply, enum status status);
/* The bytes of an answer. */
void console_write_answer(const struct console_reply *reply, int status, struct str type, struct str body,
                          int64_t retry_after, struct buf *out);
const char *console_reason(int status);

/* --- handlers --- */

void console_get_health(struct console_reply *reply);
void console_get_metrics(struct console_reply *reply);
void console_get_store(struct console_reply *reply);
void console_get_queue(struct console_reply *reply);
void console_get_record(struct console_reply *reply);
void console_get_audit(struct console_reply *reply);
void console_post_record(struct console_reply *reply);
void console_post_order(struct console_reply *reply);
void console_post_many(struct console_reply *reply);
void console_post_exported(struct console_reply *reply);
void console_post_check(struct console_reply *reply);

/* One record as a member-less JSON object, without its last brace. */
void console_add_row(struct buf *out, const struct outbox_row *row);
/* A whole number of the query between `min` and `max`; false: it is none, and that has been answered. */
bool console_number(struct console_reply *reply, const char *name, int64_t min, int64_t max, int64_t *out);
/* The filter that state, destination and reason are; false: answered. */
bool console_filter(struct console_reply *reply, struct str state, struct str destination, struct str reason,
                    struct outbox_filter *out);

/* What is wrong with a destination, by its place in the parameters. */
struct console_trouble console_trouble_of(const struct console *console, size_t index);
/* As members. */
void console_add_trouble(struct buf *out, const struct console_trouble *trouble);

#endif
