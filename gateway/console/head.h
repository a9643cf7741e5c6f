/*
 * head.h - private to console: the head of an HTTP/1.1 request, read strictly (RFC 9112). Pure functions.
 *
 * Functions return 0, or the HTTP status of the refusal, with its reason in `fault`: words of this program.
 */
#ifndef KETLINK_CONSOLE_HEAD_H
#define KETLINK_CONSOLE_HEAD_H

#include "base/base.h"

/* The fields that mean something here. Each may stand once; of several Accept, a list, the first counts. */
enum console_field {
  FIELD_HOST,
  FIELD_CONTENT_LENGTH,
  FIELD_TRANSFER_ENCODING,
  FIELD_CONTENT_TYPE,
  FIELD_CONTENT_ENCODING,
  FIELD_AUTHORIZATION,
  FIELD_ORIGIN,
  FIELD_FETCH_SITE,
  FIELD_EXPECT,
  FIELD_ACCEPT,
  CONSOLE_FIELDS
};

struct console_head {
  struct str method, path, query; /* query: ptr NULL when there is none */
  struct str fields[CONSOLE_FIELDS]; /* ptr NULL: absent */
  int64_t length;                 /* of the body; -1: not said */
  bool expects;                   /* 100-continue */
  const char *fault;
};

/* Looks at bytes that have come, from `*from` on: `*end` is the length of the head, or 0 when more of it must come.
   What no head may hold (a bare CR or LF, other control characters) is refused at once. */
int console_head_end(struct str bytes, size_t *from, size_t *end, const char **fault);
/* `text` is a whole head with its empty line; the views are parts of it. */
int console_head_parse(struct str text, struct console_head *out);

/* --- query --- */

enum { CONSOLE_QUERY_MAX = 8 };
struct console_query {
  struct str names[CONSOLE_QUERY_MAX], values[CONSOLE_QUERY_MAX]; /* decoded, in the arena */
  size_t count;
};
/* NAME=VALUE&…: each name once and one of `allowed` (words between spaces), values of UTF-8 without control
   characters. */
int console_query_parse(struct str query, const char *allowed, struct arena *arena, struct console_query *out,
                        const char **fault);
/* ptr NULL: not given. */
struct str console_query_get(const struct console_query *query, const char *name);

/* "application/json; charset=utf-8" is `type` with the charset that all texts here have, or without one. */
bool console_type_is(struct str value, const char *type);
bool console_same_word(struct str a, struct str b); /* ASCII, without regard to case */

#endif
