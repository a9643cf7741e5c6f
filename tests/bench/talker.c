/*
 * talker.c - HL7 v2 messages to a listener, and their acknowledgements counted; or what the disk allows.
 *
 *   bench_talker mllp PORT MESSAGE FROM COUNT WINDOW CONNECTIONS   messages acknowledged a second
 *   bench_talker sync FILE BYTES COUNT                             appends a second, each with fdatasync
 *
 * MESSAGE has @SERIAL@ where its control id ends. Each connection has no more than WINDOW messages under way. An
 * answer that is not AA or CA for a message that was sent ends the program.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include "relay.h"

enum { TEXT_BYTES = 4096, READ_BYTES = 64 << 10, CONNECTIONS_MAX = 64 };

struct talk {
  char *before, *after; /* of the serial number */
  long from, count, window;
  uint16_t port;
  atomic_long next;
};

static int reach(uint16_t port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) give_up("connect");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

static void send_all(int fd, const char *bytes, size_t len) {
  while (len) {
    ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
    if (n <= 0) give_up("send");
    bytes += n;
    len -= (size_t)n;
  }
}

static bool say(struct talk *talk, int fd) {
  char text[TEXT_BYTES];
  long number = atomic_fetch_add(&talk->next, 1);
  if (number >= talk->count) return false;
  int len = snprintf(text, sizeof text, "\x0b%s%07ld%s\x1c\r", talk->before, talk->from + number, talk->after);
  if (len < 0 || (size_t)len >= sizeof text) give_up("message");
  send_all(fd, text, (size_t)len);
  return true;
}

/* Frames in what was read; the rest of one is kept at the beginning. */
static long hear(char *bytes, size_t *have) {
  long frames = 0;
  for (;;) {
    char *end = memchr(bytes, 0x1c, *have), *msa = end ? memmem(bytes, (size_t)(end - bytes), "\rMSA|", 5) : NULL;
    if (!end) return frames;
    if (!msa || (strncmp(msa + 5, "AA|", 3) != 0 && strncmp(msa + 5, "CA|", 3) != 0)) {
      fprintf(stderr, "not accepted: %.*s\n", (int)(end - bytes), bytes);
      exit(1);
    }
    size_t used = (size_t)(end - bytes) + 1;
    memmove(bytes, end + 1, *have -= used);
    frames++;
  }
}

static void *run(void *context) {
  struct talk *talk = context;
  char *bytes = malloc(READ_BYTES);
  int fd = reach(talk->port);
  size_t have = 0;
  long under_way = 0;
  bool more = true;
  if (!bytes) give_up("memory");
  while (more || under_way) {
    while (more && under_way < talk->window)
      if ((more = say(talk, fd))) under_way++;
    if (!under_way) break;
    ssize_t n = recv(fd, bytes + have, READ_BYTES - have, 0);
    if (n <= 0) give_up("recv");
    have += (size_t)n;
    under_way -= hear(bytes, &have);
  }
  close(fd);
  free(bytes);
  return NULL;
}

static void read_message(struct talk *talk, const char *path) {
  static const char mark[] = "@SERIAL@";
  char *text = calloc(1, TEXT_BYTES);
  FILE *file = fopen(path, "r");
  if (!file || !text || fread(text, 1, TEXT_BYTES - 1, file) == 0) give_up(path);
  fclose(file);
  char *at = strstr(text, mark);
  if (!at) give_up(mark);
  *at = '\0';
  talk->before = text;
  talk->after = at + sizeof mark - 1;
}

static int talk_all(char **arguments) {
  struct talk talk = {.port = (uint16_t)atoi(arguments[0]),
                      .from = atol(arguments[2]),
                      .count = atol(arguments[3]),
                      .window = atol(arguments[4])};
  long connections = atol(arguments[5]);
  pthread_t threads[CONNECTIONS_MAX];
  if (connections < 1 || connections > CONNECTIONS_MAX) return 2;
  read_message(&talk, arguments[1]);
  int64_t began = stamp_now();
  for (long i = 0; i < connections; i++)
    if (pthread_create(&threads[i], NULL, run, &talk) != 0) give_up("thread");
  for (long i = 0; i < connections; i++)
    pthread_join(threads[i], NULL);
  printf("%.0f\n", (double)talk.count / ((double)(stamp_now() - began) / 1e9));
  free(talk.before);
  return 0;
}

/* The file is as large as it will be before the clock starts: what is measured is the disk, not the file system. */
static int sync_all(char **arguments) {
  size_t size = (size_t)atol(arguments[1]);
  long count = atol(arguments[2]);
  int fd = open(arguments[0], O_RDWR | O_CREAT | O_TRUNC, 0600);
  char *bytes = calloc(1, size);
  if (fd < 0 || !bytes || posix_fallocate(fd, 0, (off_t)size * count) != 0 || fsync(fd) != 0) give_up(arguments[0]);
  int64_t began = stamp_now();
  for (long i = 0; i < count; i++)
    if (write(fd, bytes, size) != (ssize_t)size || fdatasync(fd) != 0) give_up(arguments[0]);
  printf("%.0f\n", (double)count / ((double)(stamp_now() - began) / 1e9));
  close(fd);
  unlink(arguments[0]);
  free(bytes);
  return 0;
}

int main(int count, char **arguments) {
  if (count == 8 && strcmp(arguments[1], "mllp") == 0) return talk_all(arguments + 2);
  if (count == 5 && strcmp(arguments[1], "sync") == 0) return sync_all(arguments + 2);
  return 2;
}
