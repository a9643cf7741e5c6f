/* check.c - all inputs through the validator: what the crew does with a record, and what it prints. */
#include <stdlib.h>
#include <unistd.h>
#include "cli/check.h"

struct slot {
  struct buf body, index, messages;
  size_t by_severity[4];
  bool failed, unreadable;
  enum status status;
};

struct checking {
  const struct cli_check *check;
  struct cli_totals *totals;
  FILE *body, *index; /* spooled formats */
  enum status worst;
};

static void keep_worst(struct checking *checking, enum status status) {
  if (checking->worst == STATUS_OK) checking->worst = status;
}

/* --- one record --- */

/* NOT_FOUND, INVALID and LIMIT are about the data: the list says what. */
static enum status of_environment(enum status status) {
  return status == STATUS_NOT_FOUND || status == STATUS_INVALID || status == STATUS_LIMIT ? STATUS_OK
                                                                                          : status;
}

static enum status check_record(const struct cli_check *check, struct cli_item *item, struct arena *arena,
                                struct diag_list *diags, struct slot *slot, uint32_t *line) {
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
  slot->unreadable = !record.root;
  *line = record.source.first_line;
  if (record.root && (status == STATUS_OK || status == STATUS_INVALID))
    status = validation_check(pipeline_validation(check->pipeline), &run, record.root);
  if (status == STATUS_NOMEM) {
    slot->unreadable = true;
    status = cli_no_memory(item->records->path, *line, arena, (struct arena_mark){0}, diags);
  }
  return of_environment(status);
}

static struct str name_of(const struct cli_item *item, uint32_t line, struct arena *arena) {
  struct str path = str_of(item->records->path);
  if (line && item->records->many) path = arena_printf(arena, "%.*s:%u", STR_ARG(path), line);
  return path.ptr ? diag_clean(arena, path) : path;
}

/* Findings to text, before anybody waits for it. */
static void write_slot(const struct cli_check *check, const struct cli_item *item, struct str name,
                       const struct diag_list *diags, struct slot *slot) {
  bool many = item->records->many;
  struct cli_report report = {.name = name,
                              .path = item->records->path,
                              .number = item->number + 1,
                              .only = check->inputs->count == 1 && !many && !check->inputs->folders,
                              .line = many,
                              .unreadable = slot->unreadable,
                              .diags = diags};
  check->format->input(&report, &slot->body, &slot->index);
  memcpy(slot->by_severity, diags->by_severity, sizeof slot->by_severity);
  slot->failed = diag_failed(diags);
  if (item->status != STATUS_OK) cli_render(check->cli, diags, &slot->messages);
}

static void check_item(void *context, struct cli_item *item, struct arena *arena, void *into) {
  const struct checking *checking = context;
  struct slot *slot = into;
  struct diag_list diags;
  uint32_t line = 0;
  slot->status = item->status;
  slot->unreadable = item->status != STATUS_OK;
  slot->failed = false;
  memset(slot->by_severity, 0, sizeof slot->by_severity);
  if (!item->records) return; /* no memory to say more */
  diag_list_init(&diags, arena);
  if (item->status == STATUS_OK)
    slot->status = check_record(checking->check, item, arena, &diags, slot, &line);
  write_slot(checking->check, item, name_of(item, line, arena),
             item->status == STATUS_OK ? &diags : &item->records->diags, slot);
  if (slot->status == STATUS_OK) slot->status = slot->body.error;
}

/* --- in order --- */

static void print_text(FILE *out, const struct buf *text) {
  if (text->len) fwrite(text->ptr, 1, text->len, out);
}

/* What is wrong with one input does not end the others. */
static enum status print_slot(void *context, void *from) {
  struct checking *checking = context;
  struct slot *slot = from;
  struct cli *cli = checking->check->cli;
  struct cli_totals *totals = checking->totals;
  print_text(checking->body ? checking->body : cli->out, &slot->body);
  if (checking->index) print_text(checking->index, &slot->index);
  if (slot->messages.len) cli_progress(cli, "", 1, 1);
  print_text(stderr, &slot->messages);
  totals->inputs++;
  totals->failed += slot->failed || slot->unreadable;
  totals->unreadable += slot->unreadable;
  for (int i = 0; i < 4; i++)
    totals->by_severity[i] += slot->by_severity[i];
  keep_worst(checking, slot->status);
  return STATUS_OK;
}

/* --- the whole --- */

static enum status copy(FILE *from, FILE *to) {
  char bytes[1 << 14];
  size_t count;
  if (fflush(from) != 0 || ferror(from)) return STATUS_IO;
  rewind(from);
  while ((count = fread(bytes, 1, sizeof bytes, from)) > 0)
    fwrite(bytes, 1, count, to);
  return ferror(from) ? STATUS_IO : STATUS_OK;
}

static enum status print_spooled(struct checking *checking) {
  const struct cli_report_format *format = checking->check->format;
  FILE *out = checking->check->cli->out;
  struct buf head;
  buf_init(&head, LIMIT_TEXT_BYTES);
  format->head(checking->totals, &head);
  print_text(out, &head);
  buf_release(&head);
  enum status status = copy(checking->index, out);
  if (format->middle) fputs(format->middle, out);
  if (status == STATUS_OK) status = copy(checking->body, out);
  if (format->tail) fputs(format->tail, out);
  return status;
}

static enum status run_crew(struct checking *checking) {
  const struct cli_check *check = checking->check;
  bool scrolls = isatty(fileno(check->cli->out)) && !check->format->spooled;
  struct cli_crew crew = {.cli = check->cli,
                          .paths = check->inputs->paths,
                          .path_count = check->inputs->count,
                          .jobs = check->jobs,
                          .progress = scrolls ? NULL : "checking",
                          .context = checking,
                          .slot_bytes = sizeof(struct slot),
                          .slot_bufs = 3,
                          .work = check_item,
                          .print = print_slot};
  return cli_crew_run(&crew);
}

enum status cli_check_run(const struct cli_check *check, struct cli_totals *totals) {
  struct checking checking = {.check = check, .totals = totals};
  *totals = (struct cli_totals){0};
  if (check->format->spooled) {
    checking.body = tmpfile();
    checking.index = tmpfile();
    if (!checking.body || !checking.index) checking.worst = STATUS_IO;
  }
  if (checking.worst == STATUS_OK) {
    keep_worst(&checking, run_crew(&checking));
    if (check->format->spooled) keep_worst(&checking, print_spooled(&checking));
  }
  if (checking.body) fclose(checking.body);
  if (checking.index) fclose(checking.index);
  return checking.worst;
}
