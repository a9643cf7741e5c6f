/* structure.c - which message structure a message has. HL7 v2.8.2, table 0354, for the messages that have models and maps. */
#include <stdlib.h>
#include "hl7v2/internal.h"

/* What is not here is refused where messages are mapped: an event that moves, cancels or merges something else (A12 cancels a
   transfer, A42 merges visits, S23 blocks a slot) must not be taken for its neighbour, whatever structure MSH-9.3 names. */
static const struct hl7v2_event events[] = {
    {"ACK", "ACK"},         {"ADT_A01", "ADT_A01"}, {"ADT_A03", "ADT_A03"}, {"ADT_A04", "ADT_A01"}, {"ADT_A05", "ADT_A05"},
    {"ADT_A08", "ADT_A01"}, {"ADT_A11", "ADT_A09"}, {"ADT_A13", "ADT_A01"}, {"ADT_A14", "ADT_A05"}, {"ADT_A27", "ADT_A21"},
    {"ADT_A28", "ADT_A05"}, {"ADT_A31", "ADT_A05"}, {"ADT_A38", "ADT_A38"}, {"ADT_A40", "ADT_A39"}, {"MDM_T02", "MDM_T02"},
    {"MDM_T04", "MDM_T02"}, {"MDM_T06", "MDM_T02"}, {"MDM_T08", "MDM_T02"}, {"MDM_T10", "MDM_T02"}, {"MDM_T11", "MDM_T01"},
    {"ORU_R01", "ORU_R01"}, {"RAS_O17", "RAS_O17"}, {"SIU_S12", "SIU_S12"}, {"SIU_S13", "SIU_S12"}, {"SIU_S14", "SIU_S12"},
    {"SIU_S15", "SIU_S12"}, {"SIU_S16", "SIU_S12"}, {"SIU_S17", "SIU_S12"}, {"SIU_S26", "SIU_S12"},
};

const struct hl7v2_event *hl7v2_event_at(size_t index) {
  return index < sizeof events / sizeof events[0] ? &events[index] : NULL;
}

static int compare(const void *key, const void *row) {
  return strcmp(key, ((const struct hl7v2_event *)row)->event);
}

static const char *find(struct str kind, struct str trigger) {
  char key[16];
  if (kind.len + trigger.len + 2 > sizeof key) return NULL;
  size_t len = kind.len;
  if (kind.len) memcpy(key, kind.ptr, kind.len);
  if (trigger.len) {
    key[len++] = '_';
    memcpy(key + len, trigger.ptr, trigger.len);
    len += trigger.len;
  }
  key[len] = 0;
  const struct hl7v2_event *found = bsearch(key, events, sizeof events / sizeof events[0], sizeof events[0], compare);
  return found ? found->structure : NULL;
}

struct str hl7v2_structure(const struct hl7v2_message *message) {
  struct str field = hl7v2_field(message, message->segments, 9);
  struct str kind = hl7v2_part(field, message->delims.component, 1);
  const char *found = find(kind, hl7v2_part(field, message->delims.component, 2));
  if (!found && str_is(kind, "ACK")) found = "ACK"; /* ACK^A01 */
  return found ? str_of(found) : STR("GENERIC");
}
