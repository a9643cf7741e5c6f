/*
 * destination.h - the keys of a destination file (mappings/destinations/NAME.json), all in one table.
 *
 * Three stages read such a file, each its own part: bundle (what travels, in which shape), delivery (where to,
 * with which credential), pipeline (which profiles; of HL7 v2 which messages). The table says who reads what, so that each knows a key
 * of the others from a slip of the pen. mappings/destinations/README.md explains every key to people.
 */
#ifndef KETLINK_BASE_DESTINATION_H
#define KETLINK_BASE_DESTINATION_H

#include "base/config.h"

enum destination_reader { DESTINATION_ALL, DESTINATION_BUNDLE, DESTINATION_DELIVERY, DESTINATION_PIPELINE, DESTINATION_HL7V2 };

/* How what is sent travels; in the order of destination_protocol_words. A key that is of one protocol alone is an error in
   a file of the other. */
enum destination_protocol { DESTINATION_FHIR, DESTINATION_MLLP, DESTINATION_BOTH };

struct destination_key {
  enum destination_reader reader;
  struct config_key key; /* required: by its reader, in a file of its protocol */
  enum destination_protocol of;
};
extern const struct destination_key destination_keys[];
extern const size_t destination_key_count;

/* Words of keys that are enumerations of their readers, in the order of those. NULL-terminated. */
extern const char *const destination_submit_words[], *const destination_idempotency_words[],
    *const destination_interaction_words[], *const destination_require_words[],
    *const destination_note_words[], *const destination_validation_words[], *const destination_protocol_words[],
    *const destination_acknowledge_words[], *const destination_message_words[], *const destination_processing_words[];
/* Index of a word that has been checked; 0 for an absent one. */
size_t destination_word(const char *const *words, struct str word);

/* The file, checked whole, with what `reader` requires. CONFIG or INVALID with diagnostics; then there is
 * nothing to close. */
enum status destination_read(const struct host *host, const char *path, enum destination_reader reader,
                             struct diag_list *diags, struct config *out) MUST_USE;
/* Of a file that has been read. */
enum destination_protocol destination_protocol_of(const struct config *file);

#endif
