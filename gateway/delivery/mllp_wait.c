/* mllp_wait.c - the conversation of mllp.c for who waits: one message after the other, on one connection while nothing speaks
 * against it. */
#include <poll.h>
#include <stdlib.h>
#include "delivery/talk.h"

static void wait_for(const struct delivery_talk *talk, curl_socket_t socket, enum delivery_talk_wants wants) {
  struct pollfd watched = {.fd = socket, .events = wants == TALK_WRITE ? POLLOUT : POLLIN};
  int64_t left = delivery_talk_left(talk);
  (void)poll(&watched, 1, left < 1 ? 1 : (int)left);
}

static CURLcode talk_and_wait(struct delivery_talk *talk) {
  curl_socket_t socket = CURL_SOCKET_BAD;
  delivery_talk_start(talk);
  if (curl_easy_getinfo(talk->call.curl, CURLINFO_ACTIVESOCKET, &socket) != CURLE_OK || socket == CURL_SOCKET_BAD)
    return CURLE_COULDNT_CONNECT;
  enum delivery_talk_wants wants = delivery_talk_step(talk);
  while (wants != TALK_ENDED) {
    wait_for(talk, socket, wants);
    wants = delivery_talk_step(talk);
    if (wants == TALK_ENDED || delivery_talk_left(talk)) continue;
    delivery_talk_give_up(talk);
    break;
  }
  return CURLE_OK;
}

/* A handle for each: libcurl keeps a connection of this kind as long as its handle. */
static CURL *new_handle(const struct delivery_client *client, char *error) {
  CURL *curl = curl_easy_init();
  if (curl && delivery_handle_set(client, curl, error) == STATUS_OK) return curl;
  curl_easy_cleanup(curl);
  return NULL;
}

static struct delivery_talk *new_talk(struct delivery_client *client, const struct delivery_message *message, struct arena *arena) {
  struct delivery_talk *talk = calloc(1, sizeof *talk);
  if (!talk) return NULL;
  talk->message = *message;
  talk->call = (struct delivery_call){
      .curl = new_handle(client, client->error), .client = client, .error = client->error, .arena = arena};
  if (talk->call.curl) return talk;
  free(talk);
  return NULL;
}

static void free_talk(struct delivery_talk *talk) {
  CURL *curl = talk->call.curl;
  delivery_talk_release(talk);
  curl_easy_cleanup(curl);
  free(talk);
}

void delivery_message_hang_up(struct delivery_client *client) {
  if (client->kept) free_talk(client->kept);
  client->kept = NULL;
}

static struct delivery_talk *take_kept(struct delivery_client *client, const struct delivery_message *message,
                                       struct arena *arena) {
  struct delivery_talk *talk = client->kept;
  if (!talk) return NULL;
  if (!delivery_talk_is_alive(talk)) {
    delivery_message_hang_up(client);
    return NULL;
  }
  client->kept = NULL;
  delivery_talk_again(talk, message, arena);
  return talk;
}

static enum status say(struct delivery_talk *talk, struct delivery_answer *out) {
  enum status status = delivery_talk_begin(talk);
  if (status != STATUS_OK) return status;
  CURLcode connected = talk->reused ? CURLE_OK : curl_easy_perform(talk->call.curl);
  if (connected == CURLE_OK) connected = talk_and_wait(talk);
  delivery_talk_end(talk, connected, out);
  return out->reason.ptr ? STATUS_OK : STATUS_NOMEM;
}

enum status delivery_message_send(struct delivery_client *client, const struct delivery_message *message, struct arena *arena,
                                  struct delivery_answer *out) {
  struct delivery_talk *talk = take_kept(client, message, arena);
  *out = (struct delivery_answer){0};
  if (!talk) talk = new_talk(client, message, arena);
  enum status status = talk ? say(talk, out) : STATUS_NOMEM;
  if (status == STATUS_OK && delivery_talk_is_unsent(talk)) {
    free_talk(talk);
    talk = new_talk(client, message, arena);
    status = talk ? say(talk, out) : STATUS_NOMEM;
  }
  if (status == STATUS_OK && delivery_talk_rest(talk))
    client->kept = talk;
  else if (talk)
    free_talk(talk);
  return status;
}

enum status delivery_message_probe(struct delivery_client *client, struct arena *arena, struct delivery_probe *out) {
  struct delivery_call call = {
      .curl = new_handle(client, client->error), .client = client, .error = client->error, .arena = arena};
  *out = (struct delivery_probe){0};
  if (!call.curl) return STATUS_NOMEM;
  enum status status = delivery_call_connect(&call);
  if (status == STATUS_OK) {
    delivery_probe_connect(&call, out);
    out->answer.verdict = delivery_ack_classify(out->answer.phase, DELIVERY_ACK_AA, DELIVERY_ACK_ORIGINAL, false);
    out->answer.as_status = delivery_status_of(out->answer.phase, 0, out->answer.verdict);
  }
  CURL *curl = call.curl;
  delivery_call_release(&call);
  curl_easy_cleanup(curl);
  return status;
}
