/*
 * replay.c - runs a fuzz target without libFuzzer: on each file of a corpus, then on texts made at random.
 *
 *   replay_TARGET [--dictionary FILE] [--random N] [--seed N] [--failures N] [--finding FILE] CORPUS…
 *
 * The random texts are the same on each run: token soup from the dictionary, and files of the corpus with
 * damage. --failures runs each file of the corpus again with each of the first N allocations of each arena
 * failing. An input that takes too long, or memory beyond the cap, is a finding like a crash; the input at
 * fault is written to FILE.
 */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>
#include "fuzz.h"

enum { SEEDS = 4096, INPUT = 1 << 16, SECONDS = 10, MEMORY_MB = 1024 };

struct texts {
  struct str items[SEEDS];
  size_t count;
};

static struct replay {
  struct arena *arena;
  struct texts seeds, tokens;
  uint64_t random;
  size_t rounds;
  unsigned long failures;
  const char *dictionary, *finding, *running;
  struct str input; /* at work */
} replay = {.random = 20260305, .finding = "finding"};

/* The sanitizers call this before the program dies. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static void keep_finding(void) {
  const struct host *host = host_system();
  if (!replay.running) return;
  fprintf(stderr, "\nwhile running %s; the input is kept in %s\n", replay.running, replay.finding);
  (void)host->write_file(host->context, replay.finding, replay.input, false);
  replay.running = NULL;
}

static _Noreturn void on_signal(int signal) {
  if (signal == SIGPROF) fprintf(stderr, "\nmore than %d s of processor time", SECONDS);
  keep_finding();
  _exit(1);
}

static void watch(void) {
  static const int faults[] = {SIGPROF, SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
  bool sanitized = __sanitizer_set_death_callback != NULL;
  if (sanitized) __sanitizer_set_death_callback(keep_finding);
  for (size_t i = 0; i < (sanitized ? 2 : sizeof faults / sizeof faults[0]); i++)
    (void)signal(faults[i], on_signal);
}

/* Processor time, not time by the clock: machines are shared. */
static void set_timer(int seconds) {
  (void)setitimer(ITIMER_PROF, &(struct itimerval){.it_value = {.tv_sec = seconds}}, NULL);
}

/* The bytes in a block of their own size, so that reading beyond them is seen. */
static void run(const char *name, struct str input, const struct fuzz_failure *failure,
                enum fuzz_failed *failed) {
  struct rusage usage;
  char *bytes = malloc(input.len ? input.len : 1);
  if (!bytes) exit(1);
  if (input.len) memcpy(bytes, input.ptr, input.len);
  replay.running = name;
  replay.input = input;
  set_timer(SECONDS);
  if (failure)
    *failed = fuzz_one_failing(str_make(bytes, input.len), *failure);
  else
    (void)LLVMFuzzerTestOneInput((const uint8_t *)bytes, input.len);
  set_timer(0);
  free(bytes);
  getrusage(RUSAGE_SELF, &usage);
  if (usage.ru_maxrss > MEMORY_MB * 1024L) {
    fprintf(stderr, "\nmore than %d MB", MEMORY_MB);
    keep_finding();
    exit(1);
  }
  replay.running = NULL;
}

/* With each allocation failing in turn, up to the limit in each arena. */
static void run_failing(const char *name, struct str input) {
  enum fuzz_failed failed = FUZZ_FAILED;
  struct fuzz_failure failure = {.arena = 1};
  for (; failed != FUZZ_NO_SUCH_ARENA; failure.arena++) {
    failed = FUZZ_FAILED;
    for (failure.allocation = 1; failed == FUZZ_FAILED && failure.allocation <= replay.failures;
         failure.allocation++)
      run(name, input, &failure, &failed);
  }
}

/* --- seeds and tokens */

static void add(struct texts *texts, struct str text) {
  if (texts->count < SEEDS) texts->items[texts->count++] = text;
}

static void run_file(const char *path) {
  struct str text = fuzz_read(replay.arena, path);
  run(path, text, NULL, NULL);
  if (replay.failures) run_failing(path, text);
  add(&replay.seeds, text);
}

static int by_name(const struct dirent **a, const struct dirent **b) {
  return strcmp((*a)->d_name, (*b)->d_name);
}

static void run_path(const char *path) {
  struct dirent **names = NULL;
  struct stat info;
  if (stat(path, &info) == 0 && S_ISREG(info.st_mode)) {
    run_file(path);
    return;
  }
  int count = scandir(path, &names, NULL, by_name);
  for (int i = 0; i < count; i++) {
    struct str file = arena_printf(replay.arena, "%s/%s", path, names[i]->d_name);
    if (names[i]->d_name[0] != '.' && file.ptr) run_file(file.ptr);
    free(names[i]);
  }
  free(names);
}

static int hex(char c) {
  return c >= '0' && c <= '9'   ? c - '0'
         : c >= 'a' && c <= 'f' ? c - 'a' + 10
         : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                : 0;
}

/* "…" of a line of the dictionary, \xNN, \\ and \" decoded. */
static void add_token(struct str line) {
  struct buf token;
  size_t at = str_find_char(line, '"', 0);
  if (at == SIZE_MAX || str_starts(line, STR("#"))) return;
  buf_init(&token, 4096);
  for (at++; at < line.len && line.ptr[at] != '"'; at++) {
    char c = line.ptr[at];
    if (c == '\\' && at + 3 < line.len && line.ptr[at + 1] == 'x') {
      c = (char)(hex(line.ptr[at + 2]) * 16 + hex(line.ptr[at + 3]));
      at += 3;
    } else if (c == '\\' && at + 1 < line.len) {
      c = line.ptr[++at];
    }
    buf_add_char(&token, c);
  }
  struct str copy = buf_take_str(&token, replay.arena);
  if (copy.len) add(&replay.tokens, copy);
  buf_release(&token);
}

static void read_dictionary(void) {
  struct str text = replay.dictionary ? fuzz_read(replay.arena, replay.dictionary) : (struct str){0};
  for (size_t at = 0; at < text.len;) {
    size_t end = str_find_char(text, '\n', at);
    add_token(str_slice(text, at, end));
    at = end == SIZE_MAX ? text.len : end + 1;
  }
}

/* --- texts made at random */

static size_t below(size_t limit) {
  replay.random = replay.random * 6364136223846793005u + 1442695040888963407u;
  return limit ? (size_t)(replay.random >> 33) % limit : 0;
}

static struct str any(const struct texts *texts) {
  return texts->count ? texts->items[below(texts->count)] : (struct str){0};
}

static void soup(struct buf *out) {
  for (size_t left = 1 + below(40); left > 0; left--) {
    buf_add_str(out, any(&replay.tokens));
    if (below(3) == 0) buf_add_char(out, " \n\t1ax"[below(6)]);
  }
}

/* Replaces [from, to) of the text. */
static void replace(struct buf *text, size_t from, size_t to, struct str with) {
  struct buf made;
  struct str old = buf_str(text);
  buf_init(&made, INPUT);
  buf_add_str(&made, str_slice(old, 0, from));
  buf_add_str(&made, with);
  buf_add_str(&made, str_slice(old, to, old.len));
  buf_release(text);
  *text = made;
}

static void damage(struct buf *text) {
  size_t from = below(text->len + 1), to = from + below(below(4) ? 8 : 200);
  if (to > text->len) to = text->len;
  char byte = (char)below(256);
  struct str other = any(&replay.seeds);
  size_t begin = below(other.len), some = below(200);
  switch (below(7)) {
  case 0:
    replace(text, from, from < text->len ? from + 1 : from, str_make(&byte, 1));
    break;
  case 1:
    replace(text, from, to, (struct str){0});
    break;
  case 2:
    replace(text, from, from, str_slice(other, begin, begin + some));
    break;
  case 3:
    replace(text, from, to, str_slice(other, begin, begin + some));
    break;
  case 4:
    replace(text, from, text->len, (struct str){0});
    break;
  default:
    replace(text, from, below(2) ? to : from, any(&replay.tokens));
  }
}

static void run_random(size_t round) {
  struct buf text;
  char name[64];
  snprintf(name, sizeof name, "random text %zu", round);
  buf_init(&text, INPUT);
  if (round % 4 == 0) {
    soup(&text);
  } else {
    buf_add_str(&text, any(&replay.seeds));
    for (size_t left = 1 + below(6); left > 0; left--)
      damage(&text);
  }
  run(name, buf_str(&text), NULL, NULL);
  buf_release(&text);
}

/* --- */

static int option(char **argv) {
  if (strcmp(argv[0], "--dictionary") == 0)
    replay.dictionary = argv[1];
  else if (strcmp(argv[0], "--random") == 0)
    replay.rounds = strtoul(argv[1], NULL, 10);
  else if (strcmp(argv[0], "--seed") == 0)
    replay.random = strtoul(argv[1], NULL, 10);
  else if (strcmp(argv[0], "--failures") == 0)
    replay.failures = strtoul(argv[1], NULL, 10);
  else if (strcmp(argv[0], "--finding") == 0)
    replay.finding = argv[1];
  else
    return 0;
  return 1;
}

int main(int argc, char **argv) {
  int at = 1;
  replay.arena = fuzz_arena((size_t)256 << 20);
  while (at + 1 < argc && option(argv + at))
    at += 2;
  if (at == argc) {
    fprintf(stderr,
            "usage: %s [--dictionary FILE] [--random N] [--seed N] [--failures N] [--finding FILE] "
            "CORPUS...\n",
            argv[0]);
    return 2;
  }
  watch();
  LLVMFuzzerInitialize(&argc, &argv);
  for (; at < argc; at++)
    run_path(argv[at]);
  read_dictionary();
  for (size_t round = 0; round < replay.rounds; round++)
    run_random(round);
  printf("%zu files, %zu random texts: no finding\n", replay.seeds.count, replay.rounds);
  return replay.seeds.count ? 0 : 1;
}
