/* status.c - the words for statuses. */
#include "base/status.h"

const char *status_name(enum status status) {
  switch (status) {
  case STATUS_OK:
    return "ok";
  case STATUS_INVALID:
    return "invalid";
  case STATUS_UNSUPPORTED:
    return "unsupported";
  case STATUS_NOT_FOUND:
    return "not-found";
  case STATUS_CONFLICT:
    return "conflict";
  case STATUS_RETRY:
    return "retry";
  case STATUS_UNAVAILABLE:
    return "unavailable";
  case STATUS_LIMIT:
    return "limit";
  case STATUS_DENIED:
    return "denied";
  case STATUS_CONFIG:
    return "config";
  case STATUS_IO:
    return "io";
  case STATUS_NOMEM:
    return "no-memory";
  }
  return "unknown";
}

const char *status_reason(enum status status) {
  switch (status) {
  case STATUS_NOT_FOUND:
    return "no such file or folder";
  case STATUS_DENIED:
    return "not permitted";
  case STATUS_LIMIT:
    return "too large";
  case STATUS_IO:
    return "input or output failed";
  case STATUS_NOMEM:
    return "not enough memory";
  default:
    return status_name(status);
  }
}
