/* bulk.c - lines to files; of each resource the last version: see bulk.h. */
#include <ctype.h>
#include <stdlib.h>
#include <unistd.h>
#include "cli/bulk.h"

enum { ROOM_FIRST = 64, CHUNK = 1 << 16, PIECE = 1 << 12 };

struct place {
  unsigned char id[16];
  uint64_t after; /* where its line begins, plus 1; 0: free */
};

struct file {
  char type[CLI_BULK_TYPE_MAX + 1];
  FILE *out;
  uint64_t size, flushed;
  struct place *places; /* open addressing; room is a power of 2 */
  size_t count, room;
  uint64_t *dead; /* where lines begin that a later version replaced */
  size_t dead_count, dead_room;
  struct file *next;
};

struct cli_bulk {
  struct cli_folder folder;
  struct file *files, **end;
  size_t lines, max_lines, repeated;
};

static bool is_name(const char *name) {
  size_t letters = 0;
  while (isalpha((unsigned char)name[letters]))
    letters++;
  return letters && letters <= CLI_BULK_TYPE_MAX && strcmp(name + letters, ".ndjson") == 0;
}

/* A clinic's records may be called monday.ndjson: of ours the first line says the type that the name says. */
static bool is_ours(const char *name, FILE *file) {
  char wanted[CLI_BULK_TYPE_MAX + 32], found[sizeof wanted];
  if (!is_name(name)) return false;
  int length = snprintf(wanted, sizeof wanted, "{\"resourceType\":\"%.*s\"", (int)strcspn(name, "."), name);
  return fread(found, 1, (size_t)length, file) == (size_t)length && memcmp(found, wanted, (size_t)length) == 0;
}

enum status cli_bulk_open(struct cli *cli, const char *path, size_t max_lines, struct cli_bulk **out) {
  struct cli_bulk *bulk = *out = calloc(1, sizeof *bulk);
  if (!bulk) return STATUS_NOMEM;
  bulk->end = &bulk->files;
  bulk->max_lines = max_lines ? max_lines : LIMIT_EXPORT_LINES;
  return cli_folder_begin(cli, path, is_ours, &bulk->folder);
}

/* --- files --- */

static struct file *add_file(struct cli_bulk *bulk, struct str type) {
  char name[CLI_BULK_TYPE_MAX + 16];
  struct file *file = calloc(1, sizeof *file);
  if (!file) return NULL;
  memcpy(file->type, type.ptr, type.len);
  snprintf(name, sizeof name, "%s.ndjson", file->type);
  file->out = is_name(name) ? cli_folder_file(&bulk->folder, name) : NULL;
  if (!file->out) {
    free(file);
    return NULL;
  }
  *bulk->end = file;
  bulk->end = &file->next;
  return file;
}

static struct file *file_of(struct cli_bulk *bulk, struct str type) {
  if (type.len > CLI_BULK_TYPE_MAX) return NULL;
  for (struct file *file = bulk->files; file; file = file->next)
    if (str_is(type, file->type)) return file;
  return add_file(bulk, type);
}

/* --- places --- */

static struct place *find(struct place *places, size_t room, const unsigned char id[16]) {
  uint64_t halves[2];
  memcpy(halves, id, sizeof halves);
  size_t at = (size_t)((halves[0] ^ halves[1]) * 0x9e3779b97f4a7c15u >> 32) & (room - 1);
  while (places[at].after && memcmp(places[at].id, id, 16) != 0)
    at = (at + 1) & (room - 1);
  return &places[at];
}

static bool grow(struct file *file) {
  if (file->count * 4 < file->room * 3) return true;
  size_t room = file->room ? file->room * 2 : ROOM_FIRST;
  struct place *places = calloc(room, sizeof *places);
  if (!places) return false;
  for (size_t i = 0; i < file->room; i++)
    if (file->places[i].after) *find(places, room, file->places[i].id) = file->places[i];
  free(file->places);
  file->places = places;
  file->room = room;
  return true;
}

static bool bury(struct file *file, uint64_t at) {
  if (file->dead_count == file->dead_room) {
    size_t room = file->dead_room ? file->dead_room * 2 : ROOM_FIRST;
    uint64_t *dead = realloc(file->dead, room * sizeof *dead);
    if (!dead) return false;
    file->dead = dead;
    file->dead_room = room;
  }
  file->dead[file->dead_count++] = at;
  return true;
}

/* Whether this line stands at `at`. As it ends with the only line end in it, nothing longer does. */
static enum status is_same(struct file *file, uint64_t at, struct str line, bool *same) {
  char chunk[PIECE];
  *same = false;
  if (at + line.len > file->size) return STATUS_OK;
  if (at + line.len > file->flushed) {
    if (fflush(file->out) != 0) return STATUS_IO;
    file->flushed = file->size;
  }
  while (line.len) {
    size_t want = line.len < sizeof chunk ? line.len : sizeof chunk;
    ssize_t got = pread(fileno(file->out), chunk, want, (off_t)at);
    if (got <= 0) return STATUS_IO;
    if (memcmp(chunk, line.ptr, (size_t)got) != 0) return STATUS_OK;
    line = str_slice(line, (size_t)got, line.len);
    at += (uint64_t)got;
  }
  *same = true;
  return STATUS_OK;
}

enum status cli_bulk_add(struct cli_bulk *bulk, struct str type, const unsigned char id[16],
                         struct str line) {
  struct file *file = file_of(bulk, type);
  bool same = false;
  if (!file) return cli_folder_failed(&bulk->folder);
  if (!grow(file)) return STATUS_NOMEM;
  struct place *place = find(file->places, file->room, id);
  if (place->after) {
    enum status status = is_same(file, place->after - 1, line, &same);
    if (same) bulk->repeated++;
    if (status != STATUS_OK || same) return status;
  }
  if (bulk->lines == bulk->max_lines) return STATUS_LIMIT;
  if (place->after && !bury(file, place->after - 1)) return STATUS_NOMEM;
  file->count += !place->after;
  memcpy(place->id, id, sizeof place->id);
  place->after = file->size + 1;
  file->size += line.len;
  bulk->lines++;
  return fwrite(line.ptr, 1, line.len, file->out) == line.len ? STATUS_OK : cli_folder_failed(&bulk->folder);
}

/* --- landing --- */

static int ascending(const void *a, const void *b) {
  uint64_t one = *(const uint64_t *)a, two = *(const uint64_t *)b;
  return (one > two) - (one < two);
}

/* The lines of a chunk that are alive. `*skip` says whether it begins within a dead line. */
static void copy_chunk(const struct file *file, struct str chunk, uint64_t at, size_t *next, bool *skip, FILE *to) {
  while (chunk.len) {
    if (*next < file->dead_count && file->dead[*next] == at) {
      *skip = true;
      ++*next;
    }
    const char *line_end = memchr(chunk.ptr, '\n', chunk.len);
    size_t len = line_end ? (size_t)(line_end - chunk.ptr) + 1 : chunk.len;
    if (!*skip) fwrite(chunk.ptr, 1, len, to);
    if (line_end) *skip = false;
    chunk = str_slice(chunk, len, chunk.len);
    at += len;
  }
}

/* Writes the file anew without its dead lines. */
static enum status compact(struct cli_bulk *bulk, struct file *file) {
  static const char beside[] = ".ndjson";
  char chunk[CHUNK], name[CLI_BULK_TYPE_MAX + 16];
  size_t got, next = 0;
  uint64_t at = 0;
  bool skip = false;
  FILE *to = cli_folder_file(&bulk->folder, beside);
  if (!to) return STATUS_IO;
  qsort(file->dead, file->dead_count, sizeof *file->dead, ascending);
  rewind(file->out);
  for (; (got = fread(chunk, 1, sizeof chunk, file->out)) > 0; at += got)
    copy_chunk(file, (struct str){chunk, got}, at, &next, &skip, to);
  bool failed = ferror(file->out) != 0;
  fclose(file->out);
  file->out = to;
  snprintf(name, sizeof name, "%s.ndjson", file->type);
  return failed || renameat(bulk->folder.fd, beside, bulk->folder.fd, name) != 0 ? STATUS_IO : STATUS_OK;
}

static enum status finish(struct cli_bulk *bulk, struct file *file) {
  enum status status = fflush(file->out) == 0 ? STATUS_OK : cli_folder_failed(&bulk->folder);
  if (status == STATUS_OK && file->dead_count) status = compact(bulk, file);
  if (status == STATUS_OK && (fflush(file->out) != 0 || ferror(file->out) || fsync(fileno(file->out)) != 0))
    status = cli_folder_failed(&bulk->folder);
  if (fclose(file->out) != 0 && status == STATUS_OK) status = cli_folder_failed(&bulk->folder);
  file->out = NULL;
  return status;
}

enum status cli_bulk_land(struct cli_bulk *bulk, struct cli_bulk_totals *totals) {
  enum status status = STATUS_OK;
  *totals = (struct cli_bulk_totals){.repeated = bulk->repeated};
  for (struct file *file = bulk->files; file && status == STATUS_OK; file = file->next) {
    status = finish(bulk, file);
    totals->files++;
    totals->resources += file->count;
    totals->replaced += file->dead_count;
  }
  return status == STATUS_OK && bulk->files ? cli_folder_land(&bulk->folder) : status;
}

void cli_bulk_list(const struct cli_bulk *bulk, struct buf *out) {
  buf_add_char(out, '[');
  for (const struct file *file = bulk->files; file; file = file->next)
    buf_printf(out, "%s{\"type\":\"%s\",\"url\":\"%s.ndjson\",\"count\":%zu}", file == bulk->files ? "" : ",",
               file->type, file->type, file->count);
  buf_add_char(out, ']');
}

void cli_bulk_free(struct cli_bulk *bulk) {
  if (!bulk) return;
  for (struct file *file = bulk->files, *next; file; file = next) {
    next = file->next;
    if (file->out) fclose(file->out);
    free(file->places);
    free(file->dead);
    free(file);
  }
  cli_folder_drop(&bulk->folder);
  free(bulk);
}
