/* queue_call.c - requests to the relay: libcurl over a Unix socket, and what its answers mean for the shell. */
#include "cli/queue_call.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>
#include "cli/json.h"
#include "relay/config.h"

enum { ANSWER_MAX = 256 << 20, SECONDS = 120 };

/* --- where it is --- */

static int find_socket(struct cli *cli, struct cli_queue *queue) {
  const char *config = cli_value(cli, "config");
  struct relay_config *relay = ARENA_NEW(cli->arena, struct relay_config);
  queue->socket = cli_value(cli, "socket");
  if (queue->socket) return CLI_DONE;
  if (!config) config = "/etc/ketlink/relay.ini";
  if (!relay) return CLI_TRY_LATER;
  enum status status = relay_config_look(config, cli->host, cli->arena, &cli->diags, relay);
  bool doctor = strcmp(cli->command->name, "doctor") == 0; /* who judges it */
  bool aside = status == STATUS_CONFIG && relay->socket.len && !doctor;
  if (status != STATUS_OK && !aside) {
    cli_report(cli, &cli->diags);
    return status == STATUS_NOMEM ? CLI_TRY_LATER : CLI_CONFIG;
  }
  if (aside) { /* a slip in it is no reason not to see what waits in a relay that runs */
    cli_note(cli, "%s has faults (ketlink relay --check), and names the socket all the same", config);
    diag_list_init(&cli->diags, cli->arena);
  }
  queue->socket = relay->socket.ptr;
  if (relay->socket.len) return CLI_DONE;
  fprintf(stderr, "ketlink: %s: no socket in [http]; the queue is reached through the relay's socket\n", config);
  return CLI_CONFIG;
}

/* A proxy of the environment has no business here. */
static bool set_up(struct cli_queue *queue) {
  CURL *curl = queue->curl;
  return curl && curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, queue->socket) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http") == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)SECONDS) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, queue->error) == CURLE_OK;
}

int cli_queue_open(struct cli *cli, struct cli_queue *out) {
  *out = (struct cli_queue){.cli = cli};
  buf_init(&out->answer, ANSWER_MAX);
  int exit = find_socket(cli, out);
  if (exit != CLI_DONE) return exit;
  if (curl_global_init(CURL_GLOBAL_NOTHING) == CURLE_OK) out->curl = curl_easy_init();
  if (set_up(out)) return CLI_DONE;
  fprintf(stderr, "ketlink: %s: no path of a socket, or not enough memory\n", out->socket);
  return CLI_CONFIG;
}

void cli_queue_close(struct cli_queue *queue) {
  if (queue->curl) curl_easy_cleanup(queue->curl);
  buf_release(&queue->answer);
}

/* --- what went wrong --- */

/* Of who is turned away the relay reads nothing, and tells him a status alone. */
static const char all_taken[] = "try again, and if it lasts see who has all its connections open: ss -xp";

static int say_unreachable(const struct cli_queue *queue, CURLcode code) {
  long error = 0;
  curl_easy_getinfo(queue->curl, CURLINFO_OS_ERRNO, &error);
  if (code == CURLE_COULDNT_CONNECT && (error == EACCES || error == EPERM)) {
    fprintf(stderr, "ketlink: %s: only the user of the relay and root may use it\n", queue->socket);
    return CLI_PERMISSION;
  }
  if (code == CURLE_COULDNT_CONNECT && (error == ENOENT || error == ECONNREFUSED)) {
    fprintf(stderr, "ketlink: %s: the relay does not run; start it: ketlink relay\n", queue->socket);
    return CLI_UNAVAILABLE;
  }
  if (code == CURLE_COULDNT_CONNECT) { /* there is a queue for it, or it has hung up at once */
    fprintf(stderr, "ketlink: %s: somebody listens there, and takes no more connections: %s\n", queue->socket, all_taken);
    return CLI_TRY_LATER;
  }
  fprintf(stderr, "ketlink: %s: no answer of the relay: %s\n", queue->socket,
          queue->error[0] ? queue->error : curl_easy_strerror(code));
  return CLI_TRY_LATER;
}

static int exit_of(long status) {
  switch (status) {
  case 400:
    return CLI_USAGE;
  case 401:
  case 403:
    return CLI_PERMISSION;
  case 404:
  case 409:
    return CLI_FINDINGS;
  case 503:
    return CLI_TRY_LATER;
  default:
    return CLI_IO;
  }
}

static int say_refusal(const struct cli_queue *queue, const char *what, long status, const json_t *answer) {
  bool says = *cli_json_text(answer, "detail");
  struct str clean = says            ? cli_json_shown(queue->cli, answer, "detail")
                     : status == 503 ? str_of(all_taken)
                                     : STR("the answer says nothing more");
  fprintf(stderr, "ketlink: %s: %.*s (HTTP status %ld)\n", what, STR_ARG(clean), status);
  return exit_of(status);
}

/* --- asking --- */

static size_t take_answer(char *bytes, size_t size, size_t count, void *context) {
  struct buf *answer = context;
  buf_add(answer, bytes, size * count);
  return answer->error == STATUS_OK ? size * count : 0;
}

/* What is posted goes on a connection of its own: on one that was used before and ends without an answer libcurl would post it again, and
   what was decided the first time would be told as nothing. */
static bool set_request(struct cli_queue *queue, struct str url, const char *body, struct curl_slist *fields) {
  CURL *curl = queue->curl;
  bool fine = curl_easy_setopt(curl, CURLOPT_URL, url.ptr) == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_HTTPHEADER, fields) == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, body ? 1L : 0L) == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_answer) == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_WRITEDATA, &queue->answer) == CURLE_OK;
  if (!body) return fine && curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L) == CURLE_OK;
  return fine && curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)strlen(body)) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS, body) == CURLE_OK;
}

static CURLcode perform(struct cli_queue *queue, struct str target, const char *body) {
  struct str url = arena_printf(queue->cli->arena, "http://localhost%.*s", STR_ARG(target));
  struct curl_slist *fields = body ? curl_slist_append(NULL, "Content-Type: application/json") : NULL;
  CURLcode code = CURLE_OUT_OF_MEMORY;
  buf_reset(&queue->answer);
  queue->error[0] = 0;
  if (url.ptr && (fields || !body) && set_request(queue, url, body, fields)) code = curl_easy_perform(queue->curl);
  curl_easy_setopt(queue->curl, CURLOPT_HTTPHEADER, NULL);
  curl_slist_free_all(fields);
  return code;
}

/* The status of the answer in *status; a failed call was said, and is the exit status. */
static int call(struct cli_queue *queue, struct str target, const json_t *body, long *status) {
  char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
  if (body && !text) return CLI_TRY_LATER;
  CURLcode code = perform(queue, target, text);
  free(text);
  if (code != CURLE_OK) return say_unreachable(queue, code);
  curl_easy_getinfo(queue->curl, CURLINFO_RESPONSE_CODE, status);
  return CLI_DONE;
}

static json_t *answer_of(const struct cli_queue *queue) {
  struct str answer = buf_str(&queue->answer);
  return json_loadb(answer.ptr ? answer.ptr : "", answer.len, JSON_REJECT_DUPLICATES, NULL);
}

int cli_queue_ask(struct cli_queue *queue, const char *what, struct str target, const json_t *body, json_t **out) {
  long status = 0;
  *out = NULL;
  int exit = call(queue, target, body, &status);
  if (exit != CLI_DONE) return exit;
  *out = answer_of(queue);
  if (status == 200 && *out) return CLI_DONE;
  exit = say_refusal(queue, what, status, *out);
  json_decref(*out);
  *out = NULL;
  return exit;
}

int cli_queue_get(struct cli_queue *queue, const char *what, struct str target) {
  long status = 0;
  int exit = call(queue, target, NULL, &status);
  if (exit != CLI_DONE || status == 200) return exit;
  json_t *answer = answer_of(queue);
  exit = say_refusal(queue, what, status, answer);
  json_decref(answer);
  return exit;
}

/* --- what people type --- */

bool cli_queue_number(struct cli *cli, const char *word, const char *what) {
  int64_t number = 0;
  if (str_to_int64(str_of(word), &number) && number > 0) return true;
  cli_usage(cli, "'%s' is no number of %s %s", word, what[0] == 'e' ? "an" : "a", what);
  return false;
}

void cli_queue_add_actor(json_t *body) {
  const char *name = getenv("SUDO_USER");
  const struct passwd *user = name ? NULL : getpwuid(getuid());
  if (user) name = user->pw_name;
  size_t len = name ? strlen(name) : 0;
  if (len && len <= 40 && strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.@") == len &&
      isalnum((unsigned char)name[0]))
    json_object_set_new(body, "actor", json_string(name));
}

bool cli_queue_confirmed(const char *number) {
  char typed[32];
  fflush(stderr);
  if (!fgets(typed, sizeof typed, stdin)) typed[0] = 0;
  typed[strcspn(typed, "\n")] = 0;
  return strcmp(typed, number) == 0;
}

/* Every byte but letters and digits as %XX. */
void cli_queue_add_parameter(struct buf *target, const char *name, const char *value) {
  if (!value) return;
  buf_printf(target, "%c%s=", memchr(target->ptr, '?', target->len) ? '&' : '?', name);
  for (; *value; value++)
    buf_printf(target, isalnum((unsigned char)*value) ? "%c" : "%%%02X", (unsigned char)*value);
}
