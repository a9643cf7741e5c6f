/* newest.c - the highest revision of each record of a call: see newest.h. */
#include "cli/newest.h"

enum status cli_newest_open(struct cli_newest *newest) {
  *newest = (struct cli_newest){.arena = arena_new(LIMIT_ARENA_BYTES)};
  if (!newest->arena) return STATUS_NOMEM;
  map_init(&newest->revisions, newest->arena);
  return STATUS_OK;
}

void cli_newest_close(struct cli_newest *newest) {
  arena_free(newest->arena);
  *newest = (struct cli_newest){0};
}

struct str cli_newest_subject(const struct pipeline *pipeline, const struct intake_record *record, struct arena *arena,
                              int64_t *revision) {
  struct str id = pipeline_identity(pipeline, record, INTAKE_RECORD, arena);
  struct str clinic = pipeline_identity(pipeline, record, INTAKE_CLINIC, arena);
  if (!id.len || !str_to_int64(pipeline_identity(pipeline, record, INTAKE_REVISION, arena), revision)) return (struct str){0};
  return arena_printf(arena, "%.*s\n%.*s", STR_ARG(clinic), STR_ARG(id));
}

static enum status remember(struct cli_newest *newest, struct str subject, int64_t revision) {
  struct str kept = arena_str(newest->arena, subject);
  int64_t *value = ARENA_NEW(newest->arena, int64_t);
  if (!kept.ptr || !value) return STATUS_NOMEM;
  *value = revision;
  return map_put(&newest->revisions, kept, value);
}

enum status cli_newest_ask(struct cli_newest *newest, struct str subject, int64_t revision, bool *older) {
  *older = false;
  if (!newest->arena || !subject.len) return STATUS_OK;
  int64_t *known = map_get(&newest->revisions, subject);
  if (!known) return remember(newest, subject, revision);
  *older = revision < *known;
  if (!*older) *known = revision;
  return STATUS_OK;
}
