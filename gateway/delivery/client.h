/* client.h - private to delivery: what a client holds, for the sender (client.c) and the probe (probe.c). */
#ifndef KETLINK_DELIVERY_CLIENT_H
#define KETLINK_DELIVERY_CLIENT_H

#include <curl/curl.h>
#include "delivery/internal.h"

struct delivery_client {
  CURL *curl;
  struct delivery_destination destination;
  struct arena *arena;
  char *authorization; /* "Authorization: Bearer …", wiped when freed; NULL: none */
  size_t authorization_size;
  char error[CURL_ERROR_SIZE];
};

#endif
