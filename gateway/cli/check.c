/*
 * check.c - all inputs through the validator. Threads take the next record from one cursor, check it in an
 * arena of their own, and lay the text of its findings down in its slot; whoever fills the slot whose turn it
 * is prints it and those that follow.
 */
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cli/check.h"

enum {
  SLOTS_PER_JOB = 4,
  FORGET_BYTES = 4 << 20 /* of a mapped file that may lie behind the cursor */
};

/* A file, until the last record of it is done. */
struct file {
  struct arena *arena;
  struct diag_list diags; /* why it could not be read */
  struct str text;
  const char *path;
  bool mapped;
  size_t forgotten; /* bytes of the mapping that take no memory any more */
  size_t users;
};

struct item {
  size_t sequence;
  struct file *file;
  struct intake_input input; /* before the record */
  uint32_t line;             /* the record's */
  enum status status;        /* of reading the file */
};

struct slot {
  bool ready;
  struct buf body, index, messages;
  size_t by_severity[4];
  bool failed, unreadable;
  enum status status;
};

struct crew {
  const struct cli_check *check;
  struct cli_totals *totals;
  pthread_mutex_t lock;
  pthread_cond_t turn;
  /* under the lock: the cursor */
  size_t path_at, taken;
  struct file *file; /* that is being read, or NULL */
  struct intake_input input;
  /* under the lock: the report */
  struct slot slots[CLI_JOBS_MAX * SLOTS_PER_JOB];
  size_t slot_count, printed;
  FILE *body, *index; /* spooled formats */
  enum status worst;
  size_t permille; /* of progress, as shown */
};

static void keep_worst(struct crew *crew, enum status status) {
  if (crew->worst == STATUS_OK) crew->worst = status;
}

/* --- files --- */

static void release_file(struct file *file) {
  if (!file || --file->users) return;
  if (file->mapped && file->text.ptr) file_unmap(file->text);
  arena_free(file->arena);
  free(file);
}

/* A large file is mapped, not read: with a record a line it may be larger than what one document may be, and
 * only what is near the cursor takes memory. */
static bool is_large_file(const char *path) {
  struct stat info;
  return strcmp(path, "-") != 0 && stat(path, &info) == 0 && S_ISREG(info.st_mode) &&
         info.st_size > LIMIT_RECORD_BYTES;
}

static enum status open_file(struct crew *crew, const char *path, struct file **out) {
  struct file *file = *out = calloc(1, sizeof *file);
  if (!file) return STATUS_NOMEM;
  *file = (struct file){.path = path, .users = 1, .mapped = is_large_file(path)};
  file->arena = arena_new(LIMIT_ARENA_BYTES);
  if (!file->arena) return STATUS_NOMEM;
  diag_list_init(&file->diags, file->arena);
  if (file->mapped) {
    enum status status = file_map(path, &file->text);
    struct intake_input input = intake_open(str_of(path), file->text);
    if (status == STATUS_OK && input.lines) return status;
    if (status == STATUS_OK) file_unmap(file->text);
    file->mapped = false;
  }
  return cli_read(crew->check->cli, path, file->arena, &file->diags, &file->text);
}

/* --- the cursor --- */

static void show_progress(struct crew *crew) {
  const struct cli_check *check = crew->check;
  size_t total = check->inputs->count * 1000, done = crew->path_at * 1000;
  if (crew->file && crew->input.lines && crew->input.text.len)
    done += (size_t)((double)crew->input.at / (double)crew->input.text.len * 1000) - 1000;
  else if (crew->file)
    done -= 1000;
  size_t permille = done / check->inputs->count;
  if (permille == crew->permille) return;
  crew->permille = permille;
  if (!isatty(fileno(check->cli->out)) || check->format->spooled)
    cli_progress(check->cli, "checking", done, total);
}

/* Gives the next record to `item`, and a share in its file; false when there are no more. */
static bool take_record(struct crew *crew, struct item *item) {
  item->input = crew->input;
  if (intake_skip(&crew->input)) {
    struct file *file = item->file = crew->file;
    file->users++;
    if (file->mapped && crew->input.at - file->forgotten > FORGET_BYTES)
      file->forgotten = file_forget(file->text, file->forgotten, crew->input.at);
    return true;
  }
  release_file(crew->file);
  crew->file = NULL;
  return false;
}

static bool take(struct crew *crew, struct item *item) {
  const struct cli_inputs *inputs = crew->check->inputs;
  *item = (struct item){0};
  while (!crew->file || !take_record(crew, item)) {
    struct file *file;
    if (crew->path_at == inputs->count) return false;
    const char *path = inputs->paths[crew->path_at++];
    item->status = open_file(crew, path, &file);
    if (item->status != STATUS_OK) {
      item->file = file;
      break;
    }
    crew->file = file;
    crew->input = intake_open(str_of(path), file->text);
  }
  item->sequence = crew->taken++;
  show_progress(crew);
  return true;
}

/* --- one record --- */

/* NOT_FOUND, INVALID and LIMIT are about the data: the list says what. */
static enum status of_environment(enum status status) {
  return status == STATUS_NOT_FOUND || status == STATUS_INVALID || status == STATUS_LIMIT ? STATUS_OK
                                                                                          : status;
}

static enum status check_record(const struct cli_check *check, struct item *item, struct arena *arena,
                                struct diag_list *diags, bool *unreadable) {
  struct intake_record record = {0};
  enum status status = intake_next(&item->input, pipeline_definitions(check->pipeline),
                                   pipeline_routes(check->pipeline), arena, diags, &record);
  struct validation_run run = {.advice = true,
                               .any_extensions = true,
                               .vital_signs = true,
                               .host = check->cli->host,
                               .arena = arena,
                               .diags = diags,
                               .source = &record.source,
                               .profiles = check->profiles,
                               .profile_count = check->profile_count,
                               .best_practice = true};
  *unreadable = !record.root;
  item->line = record.source.first_line;
  if (!record.root || (status != STATUS_OK && status != STATUS_INVALID)) return of_environment(status);
  return of_environment(validation_check(pipeline_validation(check->pipeline), &run, record.root));
}

static struct str name_of(const struct item *item, struct arena *arena) {
  struct str path = str_of(item->file->path);
  if (item->input.lines && item->status == STATUS_OK)
    path = arena_printf(arena, "%.*s:%u", STR_ARG(path), item->line);
  return path.ptr ? diag_clean(arena, path) : path;
}

/* Findings to text, before anybody waits for it. */
static void write_slot(const struct crew *crew, const struct item *item, const struct diag_list *diags,
                       struct arena *arena, struct slot *slot) {
  const struct cli_check *check = crew->check;
  struct cli_report report = {.path = item->file->path,
                              .number = item->sequence + 1,
                              .only =
                                  check->inputs->count == 1 && !item->input.lines && !check->inputs->folders,
                              .line = item->input.lines,
                              .unreadable = slot->unreadable,
                              .diags = diags};
  report.name = name_of(item, arena);
  check->format->input(&report, &slot->body, &slot->index);
  memcpy(slot->by_severity, diags->by_severity, sizeof slot->by_severity);
  slot->failed = diag_failed(diags);
  if (item->status == STATUS_OK) return;
  if (check->cli->json) diag_render_json(diags, &slot->messages);
  for (const struct diag *diag = diags->first; diag && !check->cli->json; diag = diag->next)
    diag_render_text(diag, &slot->messages);
  buf_add_char(&slot->messages, '\n');
}

static void check_item(const struct crew *crew, struct item *item, struct arena *arena, struct slot *slot) {
  struct diag_list diags;
  slot->status = item->status;
  slot->unreadable = item->status != STATUS_OK;
  slot->failed = false;
  memset(slot->by_severity, 0, sizeof slot->by_severity);
  if (!item->file || !item->file->arena) return; /* no memory to say more */
  arena_reset(arena);
  diag_list_init(&diags, arena);
  if (item->status == STATUS_OK)
    slot->status = check_record(crew->check, item, arena, &diags, &slot->unreadable);
  write_slot(crew, item, item->status == STATUS_OK ? &diags : &item->file->diags, arena, slot);
  if (slot->status == STATUS_OK) slot->status = slot->body.error;
}

/* --- in order --- */

static void print_text(FILE *out, const struct buf *text) {
  if (text->len) fwrite(text->ptr, 1, text->len, out);
}

static void print_slot(struct crew *crew, struct slot *slot) {
  struct cli_totals *totals = crew->totals;
  print_text(crew->body ? crew->body : crew->check->cli->out, &slot->body);
  if (crew->index) print_text(crew->index, &slot->index);
  if (slot->messages.len) cli_progress(crew->check->cli, "", 1, 1);
  print_text(stderr, &slot->messages);
  totals->inputs++;
  totals->failed += slot->failed || slot->unreadable;
  totals->unreadable += slot->unreadable;
  for (int i = 0; i < 4; i++)
    totals->by_severity[i] += slot->by_severity[i];
  keep_worst(crew, slot->status);
  slot->ready = false;
  buf_reset(&slot->body);
  buf_reset(&slot->index);
  buf_reset(&slot->messages);
}

static struct slot *slot_of(struct crew *crew, size_t sequence) {
  return &crew->slots[sequence % crew->slot_count];
}

/* Under the lock. */
static void lay_down(struct crew *crew, struct slot *slot) {
  slot->ready = true;
  while (slot_of(crew, crew->printed)->ready)
    print_slot(crew, slot_of(crew, crew->printed++));
  pthread_cond_broadcast(&crew->turn);
}

/* Takes records until there are none. A slot is free when the record that had it before is printed. */
static void *work(void *context) {
  struct crew *crew = context;
  struct item item;
  struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
  pthread_mutex_lock(&crew->lock);
  if (!arena) keep_worst(crew, STATUS_NOMEM);
  while (arena && take(crew, &item)) {
    while (item.sequence >= crew->printed + crew->slot_count)
      pthread_cond_wait(&crew->turn, &crew->lock);
    struct slot *slot = slot_of(crew, item.sequence);
    pthread_mutex_unlock(&crew->lock);
    check_item(crew, &item, arena, slot);
    pthread_mutex_lock(&crew->lock);
    lay_down(crew, slot);
    release_file(item.file);
  }
  pthread_mutex_unlock(&crew->lock);
  arena_free(arena);
  return NULL;
}

/* --- the whole --- */

static enum status begin(struct crew *crew) {
  crew->slot_count = crew->check->jobs * SLOTS_PER_JOB;
  for (size_t i = 0; i < crew->slot_count; i++) {
    buf_init(&crew->slots[i].body, LIMIT_TEXT_BYTES);
    buf_init(&crew->slots[i].index, LIMIT_TEXT_BYTES);
    buf_init(&crew->slots[i].messages, LIMIT_TEXT_BYTES);
  }
  if (!crew->check->format->spooled) return STATUS_OK;
  crew->body = tmpfile();
  crew->index = tmpfile();
  return crew->body && crew->index ? STATUS_OK : STATUS_IO;
}

/* This thread works too. Fewer threads than asked for do the same work. */
static void run_threads(struct crew *crew) {
  pthread_t threads[CLI_JOBS_MAX];
  size_t count = 0;
  while (count + 1 < crew->check->jobs && pthread_create(&threads[count], NULL, work, crew) == 0)
    count++;
  work(crew);
  for (size_t i = 0; i < count; i++)
    pthread_join(threads[i], NULL);
}

static enum status copy(FILE *from, FILE *to) {
  char bytes[1 << 14];
  size_t count;
  if (fflush(from) != 0 || ferror(from)) return STATUS_IO;
  rewind(from);
  while ((count = fread(bytes, 1, sizeof bytes, from)) > 0)
    fwrite(bytes, 1, count, to);
  return ferror(from) ? STATUS_IO : STATUS_OK;
}

static enum status print_spooled(struct crew *crew) {
  const struct cli_report_format *format = crew->check->format;
  FILE *out = crew->check->cli->out;
  struct buf head;
  buf_init(&head, LIMIT_TEXT_BYTES);
  format->head(crew->totals, &head);
  print_text(out, &head);
  buf_release(&head);
  enum status status = copy(crew->index, out);
  if (format->middle) fputs(format->middle, out);
  if (status == STATUS_OK) status = copy(crew->body, out);
  if (format->tail) fputs(format->tail, out);
  return status;
}

static void end(struct crew *crew) {
  for (size_t i = 0; i < crew->slot_count; i++) {
    buf_release(&crew->slots[i].body);
    buf_release(&crew->slots[i].index);
    buf_release(&crew->slots[i].messages);
  }
  release_file(crew->file);
  if (crew->body) fclose(crew->body);
  if (crew->index) fclose(crew->index);
  cli_progress(crew->check->cli, "checking", 1, 1);
}

enum status cli_check_run(const struct cli_check *check, struct cli_totals *totals) {
  struct crew *crew = calloc(1, sizeof *crew);
  *totals = (struct cli_totals){0};
  if (!crew) return STATUS_NOMEM;
  crew->check = check;
  crew->totals = totals;
  if (pthread_mutex_init(&crew->lock, NULL) != 0 || pthread_cond_init(&crew->turn, NULL) != 0) {
    free(crew);
    return STATUS_NOMEM;
  }
  keep_worst(crew, begin(crew));
  if (crew->worst == STATUS_OK) {
    run_threads(crew);
    if (check->format->spooled) keep_worst(crew, print_spooled(crew));
  }
  end(crew);
  pthread_cond_destroy(&crew->turn);
  pthread_mutex_destroy(&crew->lock);
  enum status worst = crew->worst;
  free(crew);
  return worst;
}
