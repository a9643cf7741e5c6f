/*
 * status.h - one small vocabulary for trouble with the environment, chosen by what the caller does next.
 *
 * Bad data is not a status of its own detail: it is STATUS_INVALID, and the diagnostics (diag.h) say what and
 * where. A fault of our own is an assert, never a status.
 */
#ifndef KETLINK_BASE_STATUS_H
#define KETLINK_BASE_STATUS_H

#define MUST_USE __attribute__((warn_unused_result))

enum status {
  STATUS_OK = 0,
  STATUS_INVALID,     /* the data is bad; the diagnostic list says what, where and how to fix it */
  STATUS_UNSUPPORTED, /* well formed, but not something this program does */
  STATUS_NOT_FOUND,   /* the named thing does not exist */
  STATUS_CONFLICT,    /* it exists already, or in another version */
  STATUS_RETRY,       /* a passing fault: try again later */
  STATUS_UNAVAILABLE, /* the other side cannot be reached */
  STATUS_LIMIT,       /* a cap on size, depth, count or time was reached */
  STATUS_DENIED,      /* not permitted */
  STATUS_CONFIG,      /* the configuration is wrong */
  STATUS_IO,          /* reading or writing failed */
  STATUS_NOMEM        /* no memory, or the arena's cap is reached */
};

/* A short stable word for messages and logs: "ok", "invalid", … Never NULL. */
const char *status_name(enum status status);
/* Why a file could not be read or written, for a person: "no such file or folder"; of other statuses the name. */
const char *status_reason(enum status status);

#endif
