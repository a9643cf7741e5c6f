/* records.c - one argument -> records: what kind of thing it names, and how that is opened. */
#include <sys/stat.h>
#include "cli/records.h"

enum { FORGET_BYTES = 4 << 20 /* of a mapped file that may lie behind the cursor */ };

/* With a record a line a file may be larger than what one document may be, and only what is near the cursor
 * need take memory. */
static bool is_large_file(const char *path) {
  struct stat info;
  return strcmp(path, "-") != 0 && stat(path, &info) == 0 && S_ISREG(info.st_mode) &&
         info.st_size > LIMIT_RECORD_BYTES;
}

static enum status open_mapped(struct cli_records *records) {
  enum status status = file_map(records->path, &records->text);
  if (status != STATUS_OK) return status;
  records->mapped = true;
  records->input = intake_open(str_of(records->path), records->text);
  if (records->input.lines) return STATUS_OK;
  file_unmap(records->text);
  records->mapped = false;
  records->input = (struct intake_input){0};
  return STATUS_UNSUPPORTED;
}

static enum status open_text(struct cli *cli, struct cli_records *records) {
  enum status status = cli_read(cli, records->path, records->arena, &records->diags, &records->text);
  if (status == STATUS_OK) records->input = intake_open(str_of(records->path), records->text);
  return status;
}

enum status cli_records_open(struct cli *cli, const char *path, struct cli_records *out) {
  *out = (struct cli_records){.path = path, .arena = arena_new(LIMIT_ARENA_BYTES)};
  if (!out->arena) return STATUS_NOMEM;
  diag_list_init(&out->diags, out->arena);
  enum status status = STATUS_UNSUPPORTED;
  /* another kind of argument, such as a folder of tables, has its line here */
  if (is_large_file(path)) status = open_mapped(out);
  if (status != STATUS_OK) status = open_text(cli, out);
  out->many = out->input.lines;
  return status;
}

void cli_records_forget(struct cli_records *records) {
  if (records->mapped && records->input.at - records->forgotten > FORGET_BYTES)
    records->forgotten = file_forget(records->text, records->forgotten, records->input.at);
}

double cli_records_share(const struct cli_records *records) {
  size_t all = records->input.text.len;
  return records->many && all ? (double)records->input.at / (double)all : 0;
}

void cli_records_close(struct cli_records *records) {
  if (records->mapped) file_unmap(records->text);
  arena_free(records->arena);
  *records = (struct cli_records){0};
}
