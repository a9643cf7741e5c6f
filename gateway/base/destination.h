/*
 * destination.h - the keys of a destination file (mappings/destinations/NAME.json), all in one table.
 *
 * Three stages read such a file, each its own part: bundle (what travels, in which shape), delivery (where to,
 * with which credential), pipeline (which profiles). The table says who reads what, so that each knows a key
 * of the others from a slip of the pen. mappings/destinations/README.md explains every key to people.
 */
#ifndef KETLINK_BASE_DESTINATION_H
#define KETLINK_BASE_DESTINATION_H

#include "base/config.h"

enum destination_reader { DESTINATION_ALL, DESTINATION_BUNDLE, DESTINATION_DELIVERY, DESTINATION_PIPELINE };

struct destination_key {
  enum destination_reader reader;
  struct config_key key; /* required: by its reader */
};
extern const struct destination_key destination_keys[];
extern const size_t destination_key_count;

/* Words of keys that are enumerations of their readers, in the order of those. NULL-terminated. */
extern const char *const destination_submit_words[], *const destination_idempotency_words[],
    *const destination_interaction_words[], *const destination_require_words[],
    *const destination_note_words[], *const destination_validation_words[];
/* Index of a word that has been checked; 0 for an absent one. */
size_t destination_word(const char *const *words, struct str word);

/* The file, checked whole, with what `reader` requires. CONFIG or INVALID with diagnostics; then there is
 * nothing to close. */
enum status destination_read(const struct host *host, const char *path, enum destination_reader reader,
                             struct diag_list *diags, struct config *out) MUST_USE;

#endif
