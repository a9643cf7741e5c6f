/* records.c - one argument -> records: what kind of thing it names, and how that is opened. */
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cli/records.h"

enum { HEAD_BYTES = 512, FORGET_BYTES = 4 << 20 /* of a mapped file that may lie behind the cursor */ };

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

static enum status refuse_folder(struct cli_records *records) {
  struct source source = source_make(str_of(records->path), (struct str){0});
  struct diag_at at = {.source = &source};
  if (access(records->path, R_OK | X_OK) != 0) {
    diag_error(&records->diags, DIAG_FILE_UNREADABLE, &at, "the folder cannot be read");
    return STATUS_DENIED;
  }
  diag_error(&records->diags, DIAG_FILE_UNREADABLE, &at,
             "a folder, not a file, and no set of CSV files (it has none of the record files that mappings/csv describes): name the files in it");
  return STATUS_NOT_FOUND;
}

static enum status open_set(struct cli *cli, struct cli_records *records) {
  enum status status =
      cli->pipeline ? pipeline_set_open(cli->pipeline, records->path, &records->diags, &records->set) : STATUS_NOT_FOUND;
  if (status == STATUS_NOT_FOUND) return refuse_folder(records);
  if (status == STATUS_OK) records->input = records->passed = intake_set_input(records->set);
  return status;
}

/* One table alone is no record: its rows are joined with those beside it. */
static bool is_table(const struct cli_records *records) {
  struct str path = str_of(records->path), text = str_trim(records->text);
  bool named = path.len > 4 && strcasecmp(path.ptr + path.len - 4, ".csv") == 0;
  return named && text.len && !strchr("{[<", text.ptr[0]) && !hl7v2_is(text);
}

static enum status refuse_table(struct cli_records *records) {
  struct source source = source_make(str_of(records->path), (struct str){0});
  const char *slash = strrchr(records->path, '/');
  int length = slash ? (int)(slash - records->path) + 1 : 0;
  diag_error(&records->diags, DIAG_INPUT_FORMAT, &(struct diag_at){.source = &source},
             "a table of a set of CSV files is no record: give the folder that it stands in, %.*s (docs/csv.md)", length ? length : 1,
             length ? records->path : ".");
  return STATUS_INVALID;
}

static enum status open_text(struct cli *cli, struct cli_records *records) {
  enum status status = cli_read(cli, records->path, records->arena, &records->diags, &records->text);
  if (status == STATUS_OK && is_table(records)) return refuse_table(records);
  if (status == STATUS_OK) records->input = intake_open(str_of(records->path), records->text);
  return status;
}

/* Whether several records may come of it. */
static enum status look_ahead(struct cli_records *records) {
  struct intake_input copy = records->input;
  records->many = copy.lines || (copy.hl7v2 && intake_skip(&copy) && intake_skip(&copy));
  return copy.starved ? STATUS_NOMEM : STATUS_OK;
}

static enum status open_any(struct cli *cli, struct cli_records *records) {
  enum status status = STATUS_UNSUPPORTED;
  records->many = cli_is_folder(records->path);
  if (records->many) return open_set(cli, records);
  if (is_large_file(records->path)) status = open_mapped(records);
  if (status != STATUS_OK) status = open_text(cli, records);
  return status == STATUS_OK ? look_ahead(records) : status;
}

enum status cli_records_open(struct cli *cli, const char *path, struct cli_records *out) {
  *out = (struct cli_records){.path = path, .arena = arena_new(LIMIT_ARENA_BYTES)};
  if (!out->arena) return STATUS_NOMEM;
  diag_list_init(&out->diags, out->arena);
  enum status status = open_any(cli, out);
  struct source source = source_make(str_of(path), (struct str){0});
  if (status == STATUS_NOMEM && !out->diags.count)
    diag_error(&out->diags, DIAG_FILE_UNREADABLE, &(struct diag_at){.source = &source}, "not enough memory");
  return status;
}

static unsigned maps_of(const char *path) {
  struct stat info;
  char head[HEAD_BYTES];
  if (strcmp(path, "-") == 0 || stat(path, &info) != 0) return PIPELINE_MAPS_RECORDS | PIPELINE_MAPS_INCOMING;
  if (S_ISDIR(info.st_mode)) return PIPELINE_MAPS_RECORDS;
  FILE *file = S_ISREG(info.st_mode) ? fopen(path, "rb") : NULL;
  if (!file) return PIPELINE_MAPS_RECORDS | PIPELINE_MAPS_INCOMING;
  struct str text = str_make(head, fread(head, 1, sizeof head, file));
  fclose(file);
  bool blank = str_trim(text).len == 0;
  if (blank) return PIPELINE_MAPS_RECORDS | PIPELINE_MAPS_INCOMING;
  return intake_open(str_of(path), text).hl7v2 ? PIPELINE_MAPS_INCOMING : PIPELINE_MAPS_RECORDS;
}

unsigned cli_maps_of_inputs(const struct cli *cli) {
  unsigned maps = 0;
  for (size_t i = 0; i < cli->argument_count; i++)
    maps |= maps_of(cli->arguments[i]);
  return maps;
}

void cli_records_forget(struct cli_records *records) {
  if (records->set && records->input.at - records->passed.at > FORGET_BYTES) {
    intake_set_forget(&records->passed, &records->input);
    records->passed = records->input;
  }
  if (records->mapped && records->input.at - records->forgotten > FORGET_BYTES)
    records->forgotten = file_forget(records->text, records->forgotten, records->input.at);
}

double cli_records_share(const struct cli_records *records) {
  size_t all = records->set ? intake_set_bytes(records->set) : records->input.text.len;
  return records->many && all ? (double)records->input.at / (double)all : 0;
}

void cli_records_close(struct cli_records *records) {
  if (records->mapped) file_unmap(records->text);
  intake_set_close(records->set);
  arena_free(records->arena);
  *records = (struct cli_records){0};
}
