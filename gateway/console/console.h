/*
 * console.h - the relay's HTTP API: records in, the queue and its audit trail out, a person's decisions.
 *
 * Purpose. Serves HTTP/1.1 on a Unix socket, on a loopback port, or on both; docs/relay-api.md describes every
 * request. The console reads and decides in the outbox; whatever else a request needs the relay does for it
 * (struct console_hooks).
 *
 * Strictness. One request a connection, and every answer closes it: nothing of a request can be taken for the
 * next one. The head is read by a parser of our own, not by evhttp, which takes two Content-Length headers,
 * "+5", a missing Host and NUL (measured, 2.1.12) and hands out nothing of the bytes it read. Refused before
 * anything is done: what is not exactly RFC 9112, hosts that are not this one (DNS rebinding), pages of other
 * sites (Origin, Sec-Fetch-Site), unknown paths, methods, parameters, media types and members. Caps on head,
 * body, connections, bodies held at a time, and one deadline for a whole request. No answer repeats what was
 * sent; patients' data is in the labels of records, and in payloads, which only the Unix socket gives out.
 *
 * Who may. On the Unix socket the user of this process and root; on the port, and for other users of the
 * socket, who has the token. /healthz needs neither. A connection of whom nothing is known yet is a stranger's: it has
 * CONSOLE_STRANGER_MS to show a head, strangers have half of the places, and when those are taken, or all are, the stranger
 * who has been there longest gives way. So no user of this host keeps others out.
 *
 * Threads. All of it, hooks included, on the thread of the event loop. Ownership: params are copied, what they
 * point to must outlive the console. Errors of console_open: CONFIG and CONFLICT with a diagnostic, NOMEM.
 */
#ifndef KETLINK_CONSOLE_CONSOLE_H
#define KETLINK_CONSOLE_CONSOLE_H

#include "outbox/outbox.h"

struct event_base;
struct console;
/* An answer that is owed: console_answer is called for each exactly once, now or later, also after
   console_close. */
struct console_reply;

/* Of a destination. */
struct console_trouble {
  const char *word;  /* "held", "unavailable"; NULL: none */
  int64_t since;     /* by the wall clock */
  struct str reason; /* a word of the program */
};

struct console_hooks {
  void *context;
  /* A posted body; it and its type are valid until the reply is answered. */
  void (*post)(void *context, struct str body, struct str content_type, struct console_reply *reply);
  /* Joins the relay's group: `done` is called, once and also after console_close, when what was changed before
     is durable (STATUS_OK) or is not. */
  void (*when_durable)(void *context, void (*done)(void *done_context, enum status status),
                       void *done_context);
  /* Something in the queue was changed by hand: look at the destinations again. */
  void (*kick)(void *context);
  /* Appends metrics of the relay in Prometheus' text format. May be NULL. */
  void (*metrics)(void *context, struct buf *out);
  /* Whether it works, and words about it, without patients' data. May be NULL: it does. */
  bool (*healthy)(void *context, struct buf *words);
  /* The outbox is asked next: waits until no other thread is at work on it. May be NULL: none ever is. */
  void (*take)(void *context);
  /* What is wrong with a destination, by its place in `destinations`; of those that are missing it is not asked. May be NULL: nothing is. */
  void (*trouble)(void *context, size_t destination, struct console_trouble *out);
};

struct console_params {
  const struct host *host;
  struct event_base *base;
  struct outbox *outbox;
  const char *socket;      /* path of the Unix socket, made with mode 0600; NULL: none */
  const char *listen_host; /* a loopback address or "localhost"; NULL: none */
  uint16_t port;           /* 0: any, see console_port */
  struct str token;        /* empty: none; a port needs one */
  size_t max_body;         /* of a posted record */
  size_t max_connections;          /* of them strangers: half, rounded up */
  int64_t request_ms;              /* for a whole request to arrive, and for its answer to be taken */
  const struct str *destinations;  /* names, for the metrics */
  size_t destination_count;
  size_t missing_count; /* of them, at the end: in the store, and not in the configuration; what is for them cannot go */
  struct console_hooks hooks;
};
enum {
  CONSOLE_HEAD_MAX = 16 << 10,   /* request line and header fields, with the empty line */
  CONSOLE_FIELDS_MAX = 64,       /* header fields */
  CONSOLE_TARGET_MAX = 2048,     /* path and query */
  CONSOLE_ORDER_MAX = 16 << 10,  /* body of a decision */
  CONSOLE_LIST_MAX = 1000,       /* rows or events of one answer */
  CONSOLE_WORD_MAX = 40,         /* name of the person who decides */
  CONSOLE_STRANGER_MS = 5000,    /* for the head of a stranger, if a request has not less */
  CONSOLE_BODIES = 4             /* bodies of the largest size held at a time, over all connections */
};

enum status console_open(const struct console_params *params, struct diag_list *diags,
                         struct console **out) MUST_USE;
/* Listens no more; who is owed an answer gets 503. NULL is allowed. */
void console_close(struct console *console);
/* The socket is made again when its file was removed. Not OK: it cannot be; it is to be asked again. NULL is allowed. */
enum status console_look(struct console *console, struct diag_list *diags) MUST_USE;
/* The port that is listened on; 0: none. */
uint16_t console_port(const struct console *console);

/* Answers, and ends the reply. `retry_after_seconds` -1: none. */
void console_answer(struct console_reply *reply, int status, struct str content_type, struct str body,
                    int64_t retry_after_seconds);
/* Answers with an application/problem+json (RFC 9457) whose detail are these words. */
void console_problem(struct console_reply *reply, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with 503, and when it may be asked again. */
void console_problem_later(struct console_reply *reply, int64_t retry_after_seconds, const char *words);

#endif
