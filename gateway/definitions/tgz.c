/*
 * tgz.c - reads the JSON texts of a FHIR package (.tgz) in memory; nothing is ever unpacked to disk.
 *
 * Names in the archive are only names: they choose what is read ("package/X.json") and stand in messages. A
 * package has files and folders: one with links, devices or names that lead out of it is refused. Caps stop
 * archives that unpack to too much, too many entries or at too high a ratio, before the memory is spent.
 */
#include <zlib.h>
#include "definitions/build.h"

enum { BLOCK = 512, NAME_MAX_BYTES = 1024, SLACK = 4 << 20 /* small packages may exceed the ratio */ };

struct tgz {
  z_stream stream;
  struct str packed, name;
  const struct tgz_limits *limits;
  struct diag_list *diags;
  size_t unpacked;
  bool ended; /* no more bytes come out */
  bool done;  /* what was wanted has been read */
  enum status error;
};

struct tar_entry {
  char name[NAME_MAX_BYTES + 1];
  size_t size;
  char type;
  bool end;
};

static bool refuse(struct tgz *tgz, enum status status, enum diag_code code, const char *what) {
  if (tgz->error) return false;
  struct source source = source_make(tgz->name, (struct str){0});
  diag_error(tgz->diags, code, &(struct diag_at){.source = &source}, "%s", what);
  tgz->error = status;
  return false;
}

static bool within_limits(struct tgz *tgz) {
  if (tgz->unpacked > tgz->limits->bytes)
    return refuse(tgz, STATUS_LIMIT, DIAG_INPUT_TOO_LARGE, "The package unpacks to more than the limit");
  if (tgz->unpacked > SLACK && tgz->unpacked / tgz->limits->ratio > tgz->packed.len)
    return refuse(tgz, STATUS_LIMIT, DIAG_INPUT_TOO_LARGE, "The package unpacks at too high a ratio");
  return true;
}

/* Exactly `count` bytes into `out`; less only at the end of the stream (*got says how many). */
static bool inflate_bytes(struct tgz *tgz, void *out, size_t count, size_t *got) {
  z_stream *z = &tgz->stream;
  *got = 0;
  while (*got < count && !tgz->ended && !tgz->error) {
    size_t want = count - *got < 1 << 20 ? count - *got : 1 << 20;
    z->next_out = (unsigned char *)out + *got;
    z->avail_out = (unsigned)want;
    int code = inflate(z, Z_NO_FLUSH);
    size_t made = want - z->avail_out;
    *got += made;
    tgz->unpacked += made;
    if (code == Z_STREAM_END)
      tgz->ended = z->avail_in == 0 || inflateReset(z) != Z_OK; /* another member may follow */
    else if (code != Z_OK)
      return refuse(tgz, STATUS_INVALID, DIAG_PACKAGE_INVALID, "The package is truncated or damaged (gzip)");
    if (!within_limits(tgz)) return false;
  }
  return !tgz->error;
}

static bool skip_bytes(struct tgz *tgz, size_t count) {
  unsigned char scratch[16384];
  while (count) {
    size_t want = count < sizeof scratch ? count : sizeof scratch, got;
    if (!inflate_bytes(tgz, scratch, want, &got)) return false;
    if (got < want)
      return refuse(tgz, STATUS_INVALID, DIAG_PACKAGE_INVALID, "The package is truncated (tar)");
    count -= got;
  }
  return true;
}

static bool octal(const unsigned char *field, size_t width, size_t *out) {
  size_t value = 0, at = 0;
  while (at < width && field[at] == ' ')
    at++;
  for (; at < width && field[at] >= '0' && field[at] <= '7'; at++)
    value = value * 8 + (size_t)(field[at] - '0');
  *out = value;
  return at == width || field[at] == ' ' || field[at] == '\0';
}

static bool checksum_fits(const unsigned char *block) {
  size_t sum = 0, said;
  for (unsigned i = 0; i < BLOCK; i++)
    sum += i >= 148 && i < 156 ? ' ' : block[i];
  return octal(block + 148, 8, &said) && said == sum;
}

static size_t field_length(const unsigned char *field, size_t width) {
  const unsigned char *end = memchr(field, 0, width);
  return end ? (size_t)(end - field) : width;
}

static void entry_name(const unsigned char *block, struct tar_entry *entry) {
  size_t prefix = memcmp(block + 257, "ustar", 5) == 0 ? field_length(block + 345, 155) : 0;
  size_t name = field_length(block, 100), at = 0;
  if (prefix) {
    memcpy(entry->name, block + 345, prefix);
    entry->name[prefix] = '/';
    at = prefix + 1;
  }
  memcpy(entry->name + at, block, name);
  entry->name[at + name] = '\0';
}

static bool is_zero(const unsigned char *block) {
  for (unsigned i = 0; i < BLOCK; i++)
    if (block[i]) return false;
  return true;
}

static bool read_header(struct tgz *tgz, struct tar_entry *entry) {
  unsigned char block[BLOCK];
  size_t got;
  if (!inflate_bytes(tgz, block, BLOCK, &got)) return false;
  entry->end = got == 0 || (got == BLOCK && is_zero(block));
  if (entry->end) return true;
  if (got < BLOCK || !checksum_fits(block) || !octal(block + 124, 12, &entry->size))
    return refuse(tgz, STATUS_INVALID, DIAG_PACKAGE_INVALID, "The package is truncated or damaged (tar)");
  entry->type = (char)block[156];
  entry_name(block, entry);
  return true;
}

/* A whole entry; its padding is read too. */
static bool read_content(struct tgz *tgz, const struct tar_entry *entry, struct arena *arena,
                         struct str *out) {
  size_t got = 0;
  if (entry->size > LIMIT_TEXT_BYTES)
    return refuse(tgz, STATUS_LIMIT, DIAG_INPUT_TOO_LARGE, "A file of the package is too large");
  char *bytes = arena_alloc(arena, entry->size + 1);
  if (!bytes) {
    tgz->error = STATUS_NOMEM;
    return false;
  }
  if (!inflate_bytes(tgz, bytes, entry->size, &got)) return false;
  if (got < entry->size)
    return refuse(tgz, STATUS_INVALID, DIAG_PACKAGE_INVALID, "The package is truncated (tar)");
  bytes[entry->size] = '\0';
  *out = str_make(bytes, entry->size);
  return skip_bytes(tgz, (BLOCK - entry->size % BLOCK) % BLOCK);
}

/* "27 path=package/x.json\n" of a PAX header. */
static struct str pax_path(struct str content) {
  size_t at = 0;
  while (at < content.len) {
    size_t space = str_find_char(content, ' ', at), end = str_find_char(content, '\n', at);
    if (space == SIZE_MAX || end == SIZE_MAX || space > end) break;
    struct str record = str_slice(content, space + 1, end);
    if (str_starts(record, STR("path="))) return str_slice(record, 5, record.len);
    at = end + 1;
  }
  return (struct str){0};
}

/* "package/X.json", and nothing in folders below it. */
static bool wanted(const struct tar_entry *entry, struct str name, bool manifest) {
  if (entry->type != '0' && entry->type != '\0') return false;
  size_t slash = str_find_char(name, '/', 0);
  if (slash == SIZE_MAX || str_find_char(name, '/', slash + 1) != SIZE_MAX) return false;
  if (manifest) return str_is(str_slice(name, slash + 1, name.len), "package.json");
  return str_ends(name, STR(".json")) && name.ptr[slash + 1] != '.';
}

/* "..", "a/../b", "/a", "C:": with either slash. */
static bool leads_out(struct str name) {
  size_t from = 0;
  if (name.len && (name.ptr[0] == '/' || name.ptr[0] == '\\')) return true;
  if (name.len > 1 && name.ptr[1] == ':') return true;
  for (size_t at = 0; at <= name.len; at++) {
    if (at < name.len && name.ptr[at] != '/' && name.ptr[at] != '\\') continue;
    if (str_is(str_slice(name, from, at), "..")) return true;
    from = at + 1;
  }
  return false;
}

static bool acceptable(struct tgz *tgz, const struct tar_entry *entry, struct str name) {
  if (entry->type && strchr("123467KS", entry->type))
    return refuse(tgz, STATUS_INVALID, DIAG_PACKAGE_INVALID, "The package has a link or a device in it");
  if (leads_out(name))
    return refuse(tgz, STATUS_INVALID, DIAG_PACKAGE_INVALID, "A name in the package leads out of it");
  return true;
}

/* One entry: visited, remembered as the next one's long name, or skipped. */
static bool read_entry(struct tgz *tgz, const struct tar_entry *entry, struct buf *long_name,
                       const struct source_visit *visit) {
  bool names = entry->type == 'L' || entry->type == 'x';
  struct str name = long_name->len ? buf_str(long_name) : str_of(entry->name), content = {0};
  if (!names && !acceptable(tgz, entry, name)) return false;
  if (!names && !wanted(entry, name, visit->manifest)) {
    buf_reset(long_name);
    return skip_bytes(tgz, entry->size + (BLOCK - entry->size % BLOCK) % BLOCK);
  }
  if (names && entry->size > 65536)
    return refuse(tgz, STATUS_LIMIT, DIAG_PACKAGE_INVALID, "A file name is too long");
  struct arena *arena = arena_new(LIMIT_PACKAGE_ARENA);
  bool fine = arena && read_content(tgz, entry, arena, &content);
  if (!arena) tgz->error = STATUS_NOMEM;
  if (fine && names) {
    struct str longer = entry->type == 'x' ? pax_path(content) : str_of(content.ptr);
    if (longer.len) buf_reset(long_name);
    buf_add_str(long_name, longer);
  } else if (fine) {
    struct str shown = arena_printf(arena, "%.*s!%.*s", STR_ARG(tgz->name), STR_ARG(name));
    if (shown.ptr) visit->each(visit->context, shown, content, arena);
    tgz->done = visit->manifest;
    buf_reset(long_name);
  }
  arena_free(arena);
  return fine;
}

/* What follows the end of the tar is read too: a package that was cut short shows there. */
static void drain(struct tgz *tgz) {
  unsigned char scratch[16384];
  size_t got;
  while (!tgz->done && !tgz->ended && inflate_bytes(tgz, scratch, sizeof scratch, &got))
    continue;
}

static void read_entries(struct tgz *tgz, const struct source_visit *visit) {
  struct tar_entry entry = {0};
  struct buf long_name;
  size_t entries = 0;
  buf_init(&long_name, 65536);
  while (!tgz->done && read_header(tgz, &entry) && !entry.end) {
    if (++entries > tgz->limits->entries) {
      refuse(tgz, STATUS_LIMIT, DIAG_INPUT_TOO_MANY, "The package has too many entries");
      break;
    }
    if (!read_entry(tgz, &entry, &long_name, visit)) break;
  }
  drain(tgz);
  if (!tgz->error && entries == 0) refuse(tgz, STATUS_INVALID, DIAG_PACKAGE_INVALID, "The package is empty");
  buf_release(&long_name);
}

enum status def_tgz_read(struct str packed, struct str name, const struct tgz_limits *limits,
                         struct diag_list *diags, const struct source_visit *visit) {
  struct tgz tgz = {.packed = packed, .name = name, .limits = limits, .diags = diags};
  if (packed.len > UINT32_MAX) return STATUS_LIMIT;
  tgz.stream.next_in = (unsigned char *)(uintptr_t)packed.ptr;
  tgz.stream.avail_in = (unsigned)packed.len;
  if (inflateInit2(&tgz.stream, 15 + 16) != Z_OK) return STATUS_NOMEM;
  read_entries(&tgz, visit);
  inflateEnd(&tgz.stream);
  return tgz.error;
}
