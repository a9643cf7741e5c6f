/* crew.c - the cursor, the slots and the threads between them. */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
#include "cli/crew.h"

enum { SLOTS_PER_JOB = 4 };

/* An argument, until the last record of it is done. */
struct opened {
  struct cli_records records;
  size_t users;
};

struct run {
  const struct cli_crew *crew;
  pthread_mutex_t lock;
  pthread_cond_t turn;
  /* under the lock: the cursor */
  size_t path_at, taken;
  struct opened *opened; /* that is being read, or NULL */
  /* under the lock: what is printed */
  char *slots;
  bool ready[CLI_JOBS_MAX * SLOTS_PER_JOB];
  size_t slot_count, printed;
  enum status worst;
  size_t permille; /* of progress, as shown */
};

static void keep_worst(struct run *run, enum status status) {
  if (run->worst == STATUS_OK) run->worst = status;
}

/* --- the cursor --- */

static void release(struct opened *opened) {
  if (!opened || --opened->users) return;
  cli_records_close(&opened->records);
  free(opened);
}

static void show_progress(struct run *run) {
  const struct cli_crew *crew = run->crew;
  size_t total = crew->path_count * 1000, done = run->path_at * 1000;
  if (run->opened) done += (size_t)(cli_records_share(&run->opened->records) * 1000) - 1000;
  size_t permille = done / crew->path_count;
  if (permille == run->permille) return;
  run->permille = permille;
  if (crew->progress) cli_progress(crew->cli, crew->progress, done, total);
}

/* The next argument; what could not be opened is an item of its own. */
static enum status open_next(struct run *run, struct opened **out) {
  const char *path = run->crew->paths[run->path_at++];
  struct opened *opened = *out = calloc(1, sizeof *opened);
  if (!opened) return STATUS_NOMEM;
  opened->users = 1;
  return cli_records_open(run->crew->cli, path, &opened->records);
}

/* Gives the next record to `item`, and a share in its argument; false when there are no more. */
static bool take_record(struct run *run, struct cli_item *item, struct opened **share) {
  struct cli_records *records = &run->opened->records;
  item->input = records->input;
  if (intake_skip(&records->input)) {
    *share = run->opened;
    run->opened->users++;
    cli_records_forget(records);
    return true;
  }
  release(run->opened);
  run->opened = NULL;
  return false;
}

static bool take(struct run *run, struct cli_item *item, struct opened **share) {
  *item = (struct cli_item){0};
  *share = NULL;
  while (!run->opened || !take_record(run, item, share)) {
    struct opened *opened;
    if (run->worst != STATUS_OK || run->path_at == run->crew->path_count) return false;
    item->status = open_next(run, &opened);
    if (item->status != STATUS_OK) {
      *share = opened;
      break;
    }
    run->opened = opened;
  }
  if (*share && (*share)->records.arena) item->records = &(*share)->records;
  item->number = run->taken++;
  show_progress(run);
  return true; /* who has a number lays its slot down: others wait for that */
}

/* --- in order --- */

static void *slot_at(struct run *run, size_t index) {
  return run->slots + index * run->crew->slot_bytes;
}

static void prepare_slot(const struct run *run, struct buf *bufs) {
  for (size_t i = 0; i < run->crew->slot_bufs; i++)
    buf_init(&bufs[i], LIMIT_TEXT_BYTES);
}

static void empty_slot(const struct run *run, struct buf *bufs) {
  size_t bytes = run->crew->slot_bufs * sizeof *bufs;
  for (size_t i = 0; i < run->crew->slot_bufs; i++)
    buf_reset(&bufs[i]);
  memset((char *)bufs + bytes, 0, run->crew->slot_bytes - bytes);
}

static void release_slot(const struct run *run, struct buf *bufs) {
  for (size_t i = 0; i < run->crew->slot_bufs; i++)
    buf_release(&bufs[i]);
}

/* Under the lock. */
static void lay_down(struct run *run, size_t number) {
  run->ready[number % run->slot_count] = true;
  for (size_t at; run->ready[at = run->printed % run->slot_count]; run->printed++) {
    if (run->worst == STATUS_OK) keep_worst(run, run->crew->print(run->crew->context, slot_at(run, at)));
    empty_slot(run, slot_at(run, at));
    run->ready[at] = false;
  }
  pthread_cond_broadcast(&run->turn);
}

/* Takes records until there are none. A slot is free when the record that had it before is printed. */
static void *work(void *context) {
  struct run *run = context;
  struct cli_item item;
  struct opened *share = NULL;
  struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
  pthread_mutex_lock(&run->lock);
  if (!arena) keep_worst(run, STATUS_NOMEM);
  while (arena && take(run, &item, &share)) {
    while (item.number >= run->printed + run->slot_count)
      pthread_cond_wait(&run->turn, &run->lock);
    void *slot = slot_at(run, item.number % run->slot_count);
    pthread_mutex_unlock(&run->lock);
    arena_reset(arena);
    run->crew->work(run->crew->context, &item, arena, slot);
    pthread_mutex_lock(&run->lock);
    lay_down(run, item.number);
    release(share);
    share = NULL;
  }
  release(share);
  pthread_mutex_unlock(&run->lock);
  arena_free(arena);
  return NULL;
}

/* --- the whole --- */

/* This thread works too. Fewer threads than asked for do the same work. */
static void run_threads(struct run *run) {
  pthread_t threads[CLI_JOBS_MAX];
  size_t count = 0;
  while (count + 1 < run->crew->jobs && pthread_create(&threads[count], NULL, work, run) == 0)
    count++;
  work(run);
  for (size_t i = 0; i < count; i++)
    pthread_join(threads[i], NULL);
}

static void run_slots(struct run *run) {
  const struct cli_crew *crew = run->crew;
  run->slot_count = crew->jobs * SLOTS_PER_JOB;
  run->slots = calloc(run->slot_count, crew->slot_bytes);
  if (!run->slots) {
    keep_worst(run, STATUS_NOMEM);
    return;
  }
  for (size_t i = 0; i < run->slot_count; i++)
    prepare_slot(run, slot_at(run, i));
  run_threads(run);
  for (size_t i = 0; i < run->slot_count; i++)
    release_slot(run, slot_at(run, i));
  free(run->slots);
  release(run->opened);
  if (crew->progress) cli_progress(crew->cli, crew->progress, 1, 1);
}

enum status cli_crew_run(const struct cli_crew *crew) {
  struct run *run = calloc(1, sizeof *run);
  enum status status = STATUS_NOMEM;
  if (!run) return status;
  run->crew = crew;
  if (pthread_mutex_init(&run->lock, NULL) == 0) {
    if (pthread_cond_init(&run->turn, NULL) == 0) {
      run_slots(run);
      status = run->worst;
      pthread_cond_destroy(&run->turn);
    }
    pthread_mutex_destroy(&run->lock);
  }
  free(run);
  return status;
}

int cli_crew_jobs(const struct cli *cli, size_t *out) {
  const char *text = cli_value(cli, "jobs");
  int64_t jobs = 1;
  if (text && (!str_to_int64(str_of(text), &jobs) || jobs < 0 || jobs > CLI_JOBS_MAX))
    return cli_usage(cli, "--jobs takes a number from 0 to %d, not '%s'", CLI_JOBS_MAX, text);
  if (jobs == 0) jobs = sysconf(_SC_NPROCESSORS_ONLN);
  *out = jobs < 1 ? 1 : jobs > CLI_JOBS_MAX ? CLI_JOBS_MAX : (size_t)jobs;
  return CLI_DONE;
}
