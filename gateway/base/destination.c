/* destination.c - the one table of the keys of a destination file. */
#include "base/destination.h"

#include "base/limits.h"

const char *const destination_submit_words[] = {"transaction", "batch", "single", "collection", NULL};
const char *const destination_idempotency_words[] = {"conditional-update", "conditional-create",
                                                     "search-first", NULL};
const char *const destination_interaction_words[] = {"create", "update", "read", NULL};
const char *const destination_require_words[] = {
    "one-category",          "vital-signs-or-laboratory", "vital-signs-only",   "effective-date-time",
    "effective-time",        "vital-signs-performer",     "components-bp-spo2", "no-modifier-extension",
    "attachment-types",      "document-time",             "patient-on-server",  NULL};
const char *const destination_note_words[] = {"never", "replaced", "always", NULL};
const char *const destination_validation_words[] = {"refuse", "park", "warn", NULL};
const char *const destination_protocol_words[] = {"https", "mllp", NULL};
const char *const destination_acknowledge_words[] = {"original", "commit", "application", NULL};
const char *const destination_message_words[] = {"ADT_A04", "ADT_A05", "ADT_A08", "ADT_A11", "ADT_A38",
                                                  "ADT_A31", "SIU_S12", "RAS_O17", "ORU_R01", "MDM_T02", NULL};
const char *const destination_processing_words[] = {"P", "T", "D", NULL};

#define TEXT(n) .name = (n), .type = CONFIG_STRING
#define WORD(n, w) .name = (n), .type = CONFIG_STRING, .words = (w)
#define NUMBER(n, from, to) .name = (n), .type = CONFIG_INTEGER, .min = (from), .max = (to)
#define SWITCH(n) .name = (n), .type = CONFIG_BOOLEAN
#define LIST(n) .name = (n), .type = CONFIG_STRINGS

/* In the order of mappings/destinations/README.md. */
const struct destination_key destination_keys[] = {
    {DESTINATION_ALL, {TEXT("preset")}, DESTINATION_BOTH},
    {DESTINATION_ALL, {TEXT("description")}, DESTINATION_BOTH},
    {DESTINATION_ALL, {WORD("protocol", destination_protocol_words)}, DESTINATION_BOTH},
    {DESTINATION_DELIVERY, {TEXT("base"), .required = true}},
    {DESTINATION_DELIVERY, {TEXT("caFile")}, DESTINATION_BOTH},
    {DESTINATION_DELIVERY, {TEXT("crlFile")}, DESTINATION_BOTH},
    {DESTINATION_DELIVERY, {LIST("pinnedKeys")}, DESTINATION_BOTH},
    {DESTINATION_DELIVERY, {TEXT("clientCertFile")}, DESTINATION_BOTH},
    {DESTINATION_DELIVERY, {TEXT("clientKeyFile")}, DESTINATION_BOTH},
    {DESTINATION_DELIVERY, {.name = "auth", .type = CONFIG_OBJECT}},
    {DESTINATION_DELIVERY, {NUMBER("connectTimeoutMs", 100, 120000)}, DESTINATION_BOTH},
    {DESTINATION_DELIVERY, {NUMBER("totalTimeoutMs", 1000, 600000)}},
    {DESTINATION_DELIVERY, {NUMBER("maxResponseBytes", 1024, LIMIT_TEXT_BYTES)}, DESTINATION_BOTH},
    {DESTINATION_DELIVERY, {NUMBER("retries", 0, 5)}},
    {DESTINATION_DELIVERY, {NUMBER("retryWaitMs", 0, 10000)}, DESTINATION_BOTH},
    {DESTINATION_DELIVERY, {NUMBER("settleMs", 0, 60000)}, DESTINATION_BOTH},
    {DESTINATION_BUNDLE, {WORD("submit", destination_submit_words), .required = true}},
    {DESTINATION_BUNDLE, {WORD("idempotency", destination_idempotency_words), .required = true}},
    {DESTINATION_BUNDLE, {SWITCH("lookFirst")}},
    {DESTINATION_BUNDLE, {NUMBER("maxEntries", 0, LIMIT_BUNDLE_ENTRIES)}},
    {DESTINATION_BUNDLE, {NUMBER("maxConditionalEntries", 0, LIMIT_BUNDLE_ENTRIES)}},
    {DESTINATION_BUNDLE, {.name = "resources", .type = CONFIG_LISTS_OR_STRINGS, .words = destination_interaction_words}},
    {DESTINATION_BUNDLE, {.name = "lookup", .type = CONFIG_LISTS}},
    {DESTINATION_BUNDLE, {SWITCH("logicalReferences")}},
    {DESTINATION_BUNDLE, {LIST("require"), .words = destination_require_words}},
    {DESTINATION_BUNDLE, {WORD("sessionNote", destination_note_words)}},
    {DESTINATION_BUNDLE, {SWITCH("psychotherapyNotes")}, DESTINATION_BOTH},
    {DESTINATION_DELIVERY, {SWITCH("readBack")}},
    {DESTINATION_PIPELINE, {LIST("profiles")}},
    {DESTINATION_PIPELINE, {LIST("packages")}},
    {DESTINATION_PIPELINE, {WORD("validation", destination_validation_words)}},
    {DESTINATION_DELIVERY, {TEXT("address"), .required = true}, DESTINATION_MLLP},
    {DESTINATION_DELIVERY, {SWITCH("tls")}, DESTINATION_MLLP},
    {DESTINATION_DELIVERY, {NUMBER("ackTimeoutMs", 100, 600000)}, DESTINATION_MLLP},
    {DESTINATION_DELIVERY, {NUMBER("attempts", 1, 100)}, DESTINATION_MLLP},
    {DESTINATION_DELIVERY, {WORD("acknowledge", destination_acknowledge_words)}, DESTINATION_MLLP},
    {DESTINATION_HL7V2, {LIST("messages"), .words = destination_message_words}, DESTINATION_MLLP},
    {DESTINATION_HL7V2, {TEXT("charset")}, DESTINATION_MLLP},
    {DESTINATION_HL7V2, {TEXT("version")}, DESTINATION_MLLP},
    {DESTINATION_HL7V2, {WORD("processing", destination_processing_words)}, DESTINATION_MLLP},
    {DESTINATION_HL7V2, {TEXT("sendingApplication")}, DESTINATION_MLLP},
    {DESTINATION_HL7V2, {TEXT("sendingFacility")}, DESTINATION_MLLP},
    {DESTINATION_HL7V2, {TEXT("receivingApplication")}, DESTINATION_MLLP},
    {DESTINATION_HL7V2, {TEXT("receivingFacility")}, DESTINATION_MLLP},
};
const size_t destination_key_count = sizeof destination_keys / sizeof destination_keys[0];

size_t destination_word(const char *const *words, struct str word) {
  for (size_t i = 0; words[i]; i++)
    if (str_is(word, words[i])) return i;
  return 0;
}

enum destination_protocol destination_protocol_of(const struct config *file) {
  return (enum destination_protocol)destination_word(destination_protocol_words,
                                                     config_string(file->object, "protocol"));
}

static bool is_of(enum destination_protocol of, enum destination_protocol protocol) {
  return of == DESTINATION_BOTH || of == protocol;
}

/* A key that nobody would read is a slip: of a preset that does not fit, or of another protocol. */
static bool check_protocol(const struct config *file, struct diag_list *diags) {
  enum destination_protocol protocol = destination_protocol_of(file);
  bool fine = true;
  for (size_t i = 0; i < destination_key_count; i++) {
    const char *name = destination_keys[i].key.name;
    if (is_of(destination_keys[i].of, protocol) || !json_object_get(file->object, name)) continue;
    struct diag_at at = config_at(file, "", name);
    diag_error(diags, DIAG_CONFIG_INVALID, &at, "protocol %s has no %s", destination_protocol_words[protocol], name);
    fine = false;
  }
  return fine;
}

enum status destination_read(const struct host *host, const char *path, enum destination_reader reader,
                             struct diag_list *diags, struct config *out) {
  struct config_key keys[sizeof destination_keys / sizeof destination_keys[0]];
  enum status status = config_read(host, path, diags, out);
  for (size_t i = 0; i < destination_key_count; i++) {
    keys[i] = destination_keys[i].key;
    keys[i].required = keys[i].required && destination_keys[i].reader == reader &&
                       (status != STATUS_OK || is_of(destination_keys[i].of, destination_protocol_of(out)));
  }
  if (status == STATUS_OK && !config_check(out, out->object, "", keys, destination_key_count, diags))
    status = STATUS_CONFIG;
  if (status == STATUS_OK && !check_protocol(out, diags)) status = STATUS_CONFIG;
  if (status != STATUS_OK) config_close(out);
  return status;
}
