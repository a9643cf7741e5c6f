/*
 * producer.c - records for the relay, as fast as it takes them; or the same requests by libcurl alone.
 *
 *   bench_producer post SOCKET RECORD STAMPS FROM COUNT GROUP CONNECTIONS RATE
 *   bench_producer curl BASE CA STAMPS COUNT PARALLEL
 *
 * RECORD is a session record with @SERIAL@ where its number belongs. GROUP of them go in one request, on
 * CONNECTIONS at a time, no more than RATE a second (0: as fast as they are taken). The second form tells the
 * requests of 4 kB that libcurl's multi interface brings to the sink.
 */
#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "relay.h"

enum { BODY_BYTES = 4096, LINE_MAX_BYTES = 2048 };

struct posting {
  const char *socket, *before, *between, *after;
  struct stamps stamps;
  long from, count, group, rate;
  int64_t began;
  atomic_long next;
};

static int reach(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
  for (int i = 0; i < 10000; i++) {
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
    if (fd >= 0) close(fd);
    usleep(1000); /* its backlog is full */
  }
  give_up("connect");
  return -1;
}

static void send_all(int fd, const char *bytes, size_t len) {
  while (len) {
    ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
    if (n <= 0) give_up("send");
    bytes += n;
    len -= (size_t)n;
  }
}

/* One request; the relay closes after its answer. */
static void post(const struct posting *posting, const char *body, size_t len) {
  char head[256], answer[4096];
  int fd = reach(posting->socket);
  size_t have = 0;
  ssize_t n;
  int head_len =
      snprintf(head, sizeof head,
               "POST /records HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
               "Content-Length: %zu\r\n\r\n",
               len);
  send_all(fd, head, (size_t)head_len);
  send_all(fd, body, len);
  while (have < sizeof answer - 1 && (n = recv(fd, answer + have, sizeof answer - 1 - have, 0)) > 0)
    have += (size_t)n;
  close(fd);
  answer[have] = '\0';
  if (!strstr(answer, " 202 ")) {
    fprintf(stderr, "not accepted: %.300s\n", answer);
    exit(1);
  }
}

static size_t write_lines(const struct posting *posting, long first, long count, char *out) {
  size_t len = 0;
  for (long i = first; i < first + count; i++)
    len += (size_t)snprintf(out + len, LINE_MAX_BYTES, "%s%09ld%s%09ld%s\n", posting->before, i,
                            posting->between, i, posting->after);
  return len;
}

static void wait_turn(const struct posting *posting, long done) {
  int64_t due = posting->began + (int64_t)((double)done / (double)posting->rate * 1e9), now = stamp_now();
  if (due > now) usleep((useconds_t)((due - now) / 1000));
}

static void *run(void *context) {
  struct posting *posting = context;
  char *body = malloc((size_t)posting->group * LINE_MAX_BYTES);
  if (!body) give_up("memory");
  for (;;) {
    long done = atomic_fetch_add(&posting->next, posting->group), left = posting->count - done;
    if (left <= 0) break;
    long count = left < posting->group ? left : posting->group, first = posting->from + done;
    size_t len = write_lines(posting, first, count, body);
    if (posting->rate) wait_turn(posting, done);
    int64_t posted = stamp_now();
    post(posting, body, len);
    int64_t accepted = stamp_now();
    for (long i = first; i < first + count && i < posting->stamps.count; i++)
      posting->stamps.at[i].posted = posted, posting->stamps.at[i].accepted = accepted;
  }
  free(body);
  return NULL;
}

static char *read_text(const char *path) {
  char *text = calloc(1, LINE_MAX_BYTES);
  FILE *file = fopen(path, "r");
  if (!file || !text || fread(text, 1, LINE_MAX_BYTES - 1, file) == 0) give_up(path);
  fclose(file);
  return text;
}

/* "…@SERIAL@…@SERIAL@…" */
static void cut(struct posting *posting, char *text) {
  char *first = strstr(text, "@SERIAL@"), *second = first ? strstr(first + 8, "@SERIAL@") : NULL;
  if (!second) give_up("@SERIAL@");
  *first = *second = '\0';
  posting->before = text;
  posting->between = first + 8;
  posting->after = second + 8;
}

static int post_all(char **arguments) {
  struct posting posting = {.socket = arguments[0], .stamps = stamps_open(arguments[2])};
  char *text = read_text(arguments[1]);
  long connections = atol(arguments[6]);
  posting.from = atol(arguments[3]);
  posting.count = atol(arguments[4]);
  posting.group = atol(arguments[5]);
  posting.rate = atol(arguments[7]);
  cut(&posting, text);
  posting.began = stamp_now();
  pthread_t threads[256];
  for (long i = 0; i < connections; i++)
    if (pthread_create(&threads[i], NULL, run, &posting) != 0) give_up("thread");
  for (long i = 0; i < connections; i++)
    pthread_join(threads[i], NULL);
  printf("%.0f\n", (double)posting.count / ((double)(stamp_now() - posting.began) / 1e9));
  free(text);
  return 0;
}

/* --- libcurl alone --- */

static size_t drop(char *bytes, size_t size, size_t count, void *context) {
  (void)bytes, (void)context;
  return size * count;
}

static CURL *make_handle(const char *base, const char *ca, struct curl_slist *headers, const char *body) {
  CURL *curl = curl_easy_init();
  curl_easy_setopt(curl, CURLOPT_URL, base);
  curl_easy_setopt(curl, CURLOPT_CAINFO, ca);
  curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
  curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)BODY_BYTES);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop);
  return curl;
}

static int curl_all(char **arguments) {
  long count = atol(arguments[3]), parallel = atol(arguments[4]), begun = 0, done = 0;
  char body[BODY_BYTES];
  int running = 0, left = 0;
  memset(body, ' ', sizeof body);
  CURLM *multi = curl_multi_init();
  struct curl_slist *headers =
      curl_slist_append(curl_slist_append(NULL, "Content-Type: application/fhir+json"), "Expect:");
  int64_t from = stamp_now();
  for (; begun < parallel && begun < count; begun++)
    curl_multi_add_handle(multi, make_handle(arguments[0], arguments[1], headers, body));
  while (done < count) {
    curl_multi_perform(multi, &running);
    for (CURLMsg *message; (message = curl_multi_info_read(multi, &left)) != NULL;) {
      CURL *curl = message->easy_handle;
      if (message->data.result != CURLE_OK) give_up(curl_easy_strerror(message->data.result));
      curl_multi_remove_handle(multi, curl);
      done++;
      if (begun++ < count)
        curl_multi_add_handle(multi, curl);
      else
        curl_easy_cleanup(curl);
    }
    if (done < count) curl_multi_poll(multi, NULL, 0, 100, NULL);
  }
  printf("%.0f\n", (double)count / ((double)(stamp_now() - from) / 1e9));
  curl_multi_cleanup(multi);
  curl_slist_free_all(headers);
  return 0;
}

int main(int count, char **arguments) {
  if (count == 10 && strcmp(arguments[1], "post") == 0) return post_all(arguments + 2);
  if (count == 7 && strcmp(arguments[1], "curl") == 0) return curl_all(arguments + 2);
  return 2;
}
