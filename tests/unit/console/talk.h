/* talk.h - a console with a real store and a real event loop in a test, and raw bytes to and from it. */
#ifndef TEST_CONSOLE_TALK_H
#define TEST_CONSOLE_TALK_H

#include "store.h"

#include "console/console.h"

#define TOKEN "s3cret-of-the-clinic"

struct talk {
  struct store *store;
  struct event_base *base;
  struct console_params params;
  struct console *console;
  char socket[96];
  /* what the hooks have seen, and how they behave */
  struct console_reply *posted; /* owed, when `hold_post` */
  char body[4096], type[128];
  size_t body_len, kicks, posts;
  bool hold_post, hold_durable, sick;
  enum status durable; /* what the disk says */
  void (*done)(void *context, enum status status);
  void *done_context;
  /* the answer that was read last */
  char answer[1 << 20];
  size_t answer_len;
};

int talk_setup(void **state);
int talk_teardown(void **state);
/* Opens the console again after params were changed. */
void talk_reopen(struct talk *talk);

/* A connection to the Unix socket or to the port. */
int talk_connect(struct talk *talk, bool local);
void talk_send(struct talk *talk, int fd, const char *bytes, size_t len);
/* Lets the loop turn for some milliseconds. */
void talk_turn(struct talk *talk, int ms);
/* Reads until the other side closes or `ms` have passed; closes; the status, 0: no answer. */
int talk_read(struct talk *talk, int fd, int ms);
/* Whether bytes or an end are there. */
bool talk_has_bytes(int fd);
/* All of it: connects, sends, reads. */
int talk_raw(struct talk *talk, bool local, const char *bytes, size_t len);
/* A request over the Unix socket, body NULL: none. */
int talk_ask(struct talk *talk, const char *method, const char *target, const char *body);
/* The body of the answer that was read last, NUL-terminated. */
const char *talk_body(const struct talk *talk);
bool talk_said(const struct talk *talk, const char *part);

#endif
