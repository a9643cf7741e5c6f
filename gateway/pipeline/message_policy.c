/* message_policy.c - the HL7 v2 part of a destination file: which messages, and what stands in their heads. */
#include "base/destination.h"
#include "hl7v2/hl7v2.h"
#include "pipeline/internal.h"

enum { HEAD_MAX = 227 /* characters of an HD */ };

struct pipeline_message_policy pipeline_message_policy_usual(void) {
  return (struct pipeline_message_policy){.kinds = (1U << PIPELINE_MESSAGE_KINDS) - 1,
                                          .version = STR("2.5.1"),
                                          .charset = STR("UNICODE UTF-8"),
                                          .processing = STR("P"),
                                          .sending_application = STR("ketlink")};
}

static void refuse(const struct config *file, const char *key, struct diag_list *diags, const char *why) {
  struct diag_at at = config_at(file, "", key);
  diag_error(diags, DIAG_CONFIG_INVALID, &at, "%s: %s", key, why);
}

static bool is_version(struct str version) {
  static const char *const versions[] = {"2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.7.1", "2.8", "2.8.1", "2.8.2"};
  for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++)
    if (str_is(version, versions[i])) return true;
  return false;
}

/* As table 0211 has them; what stands in MSH-18, where ASCII is said by nothing. */
static bool is_charset(struct str charset, struct arena *arena) {
  struct hl7v2_text text = {.text = STR("MSH"), .charset = charset};
  struct str bytes;
  return hl7v2_encode(&text, arena, &bytes) == STATUS_OK;
}

/* It stands in MSH as it is: components as in name^oid^ISO, but nothing that would end the field. */
static bool is_head(struct str text) {
  for (size_t i = 0; i < text.len; i++)
    if (text.ptr[i] < ' ' || text.ptr[i] > '~' || strchr("|~\\", text.ptr[i])) return false;
  return text.len <= HEAD_MAX;
}

static void read_heads(const struct config *file, struct arena *arena, struct diag_list *diags,
                       struct pipeline_message_policy *out) {
  const struct {
    const char *key;
    struct str *to;
  } heads[] = {{"sendingApplication", &out->sending_application},
               {"sendingFacility", &out->sending_facility},
               {"receivingApplication", &out->receiving_application},
               {"receivingFacility", &out->receiving_facility}};
  for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
    struct str text = config_string(file->object, heads[i].key);
    if (!is_head(text)) refuse(file, heads[i].key, diags, "printable ASCII without | ~ \\, at most 227 characters");
    if (text.len) *heads[i].to = arena_str(arena, text);
  }
}

static void read_kinds(const struct config *file, struct diag_list *diags, struct pipeline_message_policy *out) {
  const json_t *list = json_object_get(file->object, "messages");
  if (!list) return;
  out->kinds = 0;
  for (size_t i = 0; i < json_array_size(list); i++)
    out->kinds |=
        1U << destination_word(destination_message_words, str_of(json_string_value(json_array_get(list, i))));
  if (!out->kinds) refuse(file, "messages", diags, "one message or more");
}

static void fill(const struct config *file, struct arena *arena, struct diag_list *diags,
                 struct pipeline_message_policy *out) {
  struct str version = config_string(file->object, "version"), charset = config_string(file->object, "charset");
  struct str processing = config_string(file->object, "processing");
  struct str mode = config_string(file->object, "acknowledge");
  read_kinds(file, diags, out);
  read_heads(file, arena, diags, out);
  if (version.len && !is_version(version)) refuse(file, "version", diags, "a version of HL7 from 2.3 to 2.8.2");
  if (charset.len && !is_charset(charset, arena)) refuse(file, "charset", diags, "a name of table 0211: UNICODE UTF-8, ASCII, 8859/1");
  if (version.len) out->version = arena_str(arena, version);
  if (charset.len) out->charset = arena_str(arena, charset);
  if (processing.len) out->processing = arena_str(arena, processing);
  /* by MSH-15 and MSH-16; both empty: original mode */
  if (str_is(mode, "commit") || str_is(mode, "application")) out->accept_ack = STR("AL");
  if (str_is(mode, "commit")) out->application_ack = STR("NE");
  if (str_is(mode, "application")) out->application_ack = STR("AL");
  out->psychotherapy_notes = config_boolean(file->object, "psychotherapyNotes", false);
}

enum status pipeline_message_policy_read(const char *path, const struct host *host, struct arena *arena,
                                         struct diag_list *diags, struct pipeline_message_policy *out) {
  struct config file;
  size_t before = diag_errors(diags);
  *out = pipeline_message_policy_usual();
  enum status status = destination_read(host, path, DESTINATION_HL7V2, diags, &file);
  if (status != STATUS_OK) return status;
  fill(&file, arena, diags, out);
  config_close(&file);
  return diag_errors(diags) > before ? STATUS_CONFIG : STATUS_OK;
}
