/*
 * folder.h - private to relay: a drop folder.
 *
 *   folder.c   the folder: watched, listed, taken in the order in which files were written; what is told of it
 *   dropped.c  one file: opened without following anything, read whole, its records put into the store
 *   moved.c    one file whose records are durable: to done/ or rejected/, with its diagnostics beside
 *
 * A file is taken by folder.c's scan; dropped.c has it until what it holds is durable, and moved.c moves it. Until then it lies where
 * it was put, and is not taken again as long as it is the file that was read. A file that is mapped beside the loop is the only one
 * that is looked at meanwhile, so records keep the order of files.
 *
 * Threads: the loop's. Errors: what others have put there holds nobody up: it is told of by a digest of its name, once, and stays; what
 * passes (no memory, no descriptor, a full store) ends the scan, and the next one begins with the same file.
 */
#ifndef KETLINK_RELAY_FOLDER_H
#define KETLINK_RELAY_FOLDER_H

#include <sys/stat.h>
#include "relay/internal.h"

enum {
  FOLDER_SCAN_MS = 1000,
  FOLDER_NAME_BYTES = 256,
  FOLDER_TAG_CHARS = 13,
  FOLDER_NAMES_KEPT = 1024
};

/* The last so many names, as hashes. */
struct relay_file_names {
  uint64_t hashes[FOLDER_NAMES_KEPT];
  size_t at;
};

struct relay_filing; /* dropped.c */

struct relay_folder {
  struct relay *relay;
  struct relay_dropped *waiting; /* they lie there still, and are not taken again */
  size_t waiting_count;
  bool more;                   /* files lie there that nothing was done about, for too many waited */
  struct relay_filing *filing; /* the file that is mapped beside the loop: none is looked at meanwhile, so all keep their order */
  const struct relay_folder_config *config;
  int folder, done, rejected, notify; /* descriptors, or -1 */
  struct event *changed, *scan;
  bool full;        /* nothing more is taken in this scan */
  enum status came; /* the last scan, with the commit of what it took, to */
  struct relay_tries scans;
  bool told;        /* that the store is full */
  bool stuck;       /* files cannot be moved away: they would be taken again and again */
  bool gone;        /* it is not where it was */
  bool waits;       /* for a file that does not become ready */
  uint64_t awaited; /* hash of its name; 0: nothing is waited for */
  int64_t awaited_since;
  struct relay_file_names renamed; /* that came by a rename: whole files, whatever their age */
  struct relay_file_names refused; /* that were spoken of */
};

/* A file whose records wait to be durable. */
struct relay_dropped {
  struct relay_dropped *next; /* of those of the folder that wait */
  struct relay_promise promise;
  struct relay_folder *folder;
  char name[FOLDER_NAME_BYTES], tag[FOLDER_TAG_CHARS];
  struct stat read; /* as it was when it was opened */
  bool rejected;
  int tried;      /* how often another name was looked for */
  int64_t number; /* of its diagnostics, and so its own */
};

/* --- folder.c --- */

/* A digest of the name, for logs. */
void relay_folder_tag(const char *name, char tag[FOLDER_TAG_CHARS]);
/* What can never be taken stays where it is, and is spoken of once. */
void relay_folder_refuse(struct relay_folder *folder, const char *name, const char *why);
/* The next file of this name may be written in place. */
void relay_folder_forget_name(struct relay_folder *folder, const char *name);
void relay_folder_set_full(struct relay_folder *folder, bool full); /* the store */
void relay_folder_set_stuck(struct relay_folder *folder, bool stuck);
/* What was taken is durable, or a scan found nothing to do. */
void relay_folder_note_scan(struct relay_folder *folder, enum status status);
/* No memory, and the like: what is there now waits, and what came after it too. Once a scan. */
void relay_folder_fall_short(struct relay_folder *folder, enum status status);
void relay_folder_schedule(struct relay_folder *folder, long ms);

/* --- dropped.c --- */

enum relay_look { LOOK_TAKE, LOOK_WAIT, LOOK_REFUSE }; /* of the last nobody is held back */

/* `renamed`: it came by a rename, so it is whole. TAKE: its records are in the store, or on their way; it is moved when they are durable. */
enum relay_look relay_dropped_look(struct relay_folder *folder, const char *name, bool renamed);
/* The one that is mapped beside the loop, if any, is given up: it stays in place. */
void relay_dropped_leave(struct relay_folder *folder);
/* Below the folder, no link, no device, nothing that makes open() wait. -1: errno. */
int relay_dropped_open(int folder, const char *name);
bool relay_dropped_is_written(int file);
bool relay_dropped_is_as_read(const struct relay_dropped *dropped, const struct stat *now);

/* --- moved.c --- */

/* Its records are durable. What was put in its place meanwhile, or is being written, stays, and is taken in its turn. */
void relay_dropped_put_away(struct relay_dropped *dropped);
/* Into rejected/, under the number that the file will have. False: they cannot be written there. */
bool relay_dropped_explain(const struct relay_folder *folder, struct relay_dropped *dropped, struct diag_list *diags);

#endif
