/* internal.h - private to simulate: what is read of a message, and what is answered. */
#ifndef KETLINK_SIMULATE_INTERNAL_H
#define KETLINK_SIMULATE_INTERNAL_H

#include "hl7v2/hl7v2.h"
#include "simulate/simulate.h"

/* A field of MSH as it stands. */
struct str simulate_header(const struct hl7v2_message *message, uint32_t field);
/* "ADT^A04". */
struct str simulate_kind(const struct hl7v2_message *message, struct arena *arena);

enum { SIMULATE_ANSWERS_MAX = 2 };
/* Codes in the order in which they go: what MSH-15 and MSH-16 ask for. Returns how many. */
size_t simulate_codes(const struct hl7v2_message *message, enum simulate_fault fault,
                      const char *codes[SIMULATE_ANSWERS_MAX]);
/* An acknowledgement, not framed. `control`: MSA-2; `number` makes its own control id; `now_ms`: MSH-7, in UTC. */
void simulate_answer(const struct hl7v2_message *of, const char *code, struct str control, uint64_t number, int64_t now_ms,
                     struct buf *out);

#endif
