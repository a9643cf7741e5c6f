/*
 * host.h - the seam to the machine: clock, randomness, files. Tests put fakes here; nothing else in the
 * program asks the system for time, randomness or file content. The functions may be called from any thread.
 */
#ifndef KETLINK_BASE_HOST_H
#define KETLINK_BASE_HOST_H

#include "base/arena.h"
#include "base/status.h"
#include "base/str.h"

struct host {
  void *context;
  int64_t (*now_ms)(void *context);       /* wall clock, milliseconds since 1970 UTC */
  int64_t (*monotonic_ns)(void *context); /* never goes back */
  enum status (*random)(void *context, void *bytes, size_t count);
  /* Whole content into the arena, NUL terminated; NOT_FOUND, DENIED, LIMIT (over `max`), IO, NOMEM. "-" is
   * stdin. */
  enum status (*read_file)(void *context, const char *path, size_t max, struct arena *arena, struct str *out);
  /* Temporary file beside it, fsync, rename; mode 0600 when `secret`, else 0644 less umask. */
  enum status (*write_file)(void *context, const char *path, struct str content, bool secret);
  /* Names (not paths) of the regular files in a folder whose name ends with `suffix`, sorted by bytes. */
  enum status (*list_files)(void *context, const char *folder, struct str suffix, struct arena *arena,
                            struct str **names, size_t *count);
  /* Names of the folders in a folder, links and hidden ones left out, sorted by bytes. May be NULL: none. */
  enum status (*list_folders)(void *context, const char *folder, struct arena *arena, struct str **names,
                              size_t *count);
  /* Waits; may come back early on a signal. May be NULL: no waiting. */
  void (*sleep_ms)(void *context, int64_t milliseconds);
};

/* The real machine. Immutable, shared. */
const struct host *host_system(void);
/* Why a file could not be read, for a message: status_reason, but of a folder that it is one. */
const char *host_why_unread(const struct host *host, const char *path, enum status status, struct arena *arena);

/* A whole file mapped read-only; the view is valid until file_unmap. An empty file gives an empty view. */
enum status file_map(const char *path, struct str *out) MUST_USE;
void file_unmap(struct str mapping);
/* Gives back the memory of bytes [from, to) of a mapping: who comes to them again reads them from the file
 * again. Returns where to go on from, at most `to`. */
size_t file_forget(struct str mapping, size_t from, size_t to);

/* What an open file has from here on, at most `max` bytes, NUL terminated: less when it is shorter. IO, NOMEM. */
enum status file_read(int fd, size_t max, struct arena *arena, struct str *out) MUST_USE;
/* All of it to an open file, and to the disk. */
enum status file_write_synced(int fd, struct str content) MUST_USE;

enum { UUID_TEXT = 37 };
/* RFC 9562: version 5 (SHA-1 of namespace and name) and version 4 (random). Text is 36 characters and NUL. */
void uuid_v5(const unsigned char namespace_id[16], struct str name, char out[UUID_TEXT]);
bool uuid_parse(struct str text, unsigned char out[16]);
enum status uuid_v4(const struct host *host, char out[UUID_TEXT]) MUST_USE;
/* Lower-case hexadecimal SHA-256. */
void sha256_hex(struct str bytes, char out[65]);
/* SHA-1 in base64, as R4 wants it of an attachment: a checksum, no proof of origin. */
enum { SHA1_BASE64 = 29 };
void base_sha1_base64(struct str bytes, char out[SHA1_BASE64]);
/* Into the arena; ptr NULL when it is full. */
struct str base_base64(struct str bytes, struct arena *arena);

#endif
