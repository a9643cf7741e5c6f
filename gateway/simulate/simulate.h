/*
 * simulate.h - the other side of an HL7 v2 interface, so that it can be tried before go-live: a sender of fixture messages,
 * and a listener that acknowledges as an EHR would, with chosen faults.
 *
 * Purpose. `simulate_listen` takes messages by MLLP and answers them; what it answers is written here and not by gateway/hl7v2,
 * so that each of the two is judged by another hand. `simulate_send` sends messages by the client that the relay uses
 * (delivery/message.h) and tells what their acknowledgements mean. Nothing is stored but in a folder that was asked for.
 *
 * Threads. simulate_listen makes one for each connection; its callbacks come one at a time. Ownership: texts of the parameters
 * are the caller's and live as long as the call; those of callbacks only during it. Errors: CONFIG (address, certificate),
 * CONFLICT (another process listens there), IO (the folder), NOMEM; with a finding but NOMEM.
 *
 * Source. HL7 v2.5.1 chapter 2: original mode (2.9.2), enhanced mode (2.9.3), MSH-15 and MSH-16 (table 0155).
 */
#ifndef KETLINK_SIMULATE_SIMULATE_H
#define KETLINK_SIMULATE_SIMULATE_H

#include "base/base.h"
#include "delivery/delivery.h"

/* --- faults: pure --- */

enum simulate_fault {
  SIMULATE_FINE,
  SIMULATE_LATE,     /* the answer comes after late_ms */
  SIMULATE_NONE,     /* no answer */
  SIMULATE_CUT,      /* half of the answer, and the connection is closed */
  SIMULATE_AE,       /* AE, or CE where only the accept acknowledgement is wanted */
  SIMULATE_AR,       /* AR, or CR */
  SIMULATE_WRONG_ID, /* the answer to another message */
  SIMULATE_TWO,      /* the answer twice */
  SIMULATE_SLOW,     /* byte by byte */
  SIMULATE_GARBAGE,  /* bytes between frames, then a frame that is no message */
  SIMULATE_FAULTS
};
const char *simulate_fault_name(enum simulate_fault fault);

enum { SIMULATE_RULES_MAX = 16, SIMULATE_EVERY_MAX = 1000000 };
struct simulate_rule {
  enum simulate_fault fault;
  uint32_t every;   /* each so many messages; 0: by chance */
  uint32_t percent; /* of chance, 1 to 100 */
};
/* "AE" (each message), "AE:3" (each third), "late:10%" (one in ten, by chance). */
bool simulate_rule_parse(struct str text, struct simulate_rule *out) MUST_USE;

struct simulate_faults {
  struct simulate_rule rules[SIMULATE_RULES_MAX];
  size_t count;
  uint64_t random;   /* begins as the seed */
  uint64_t messages; /* so far */
};
/* What becomes of the next message: of the first rule that is its turn. Each rule of chance draws for each message. */
enum simulate_fault simulate_fault_next(struct simulate_faults *faults);

/* --- listening --- */

struct simulate_message {
  uint64_t number;         /* from 1 */
  struct str control, kind; /* MSH-10; "ADT^A04". Empty: it is no message of HL7 v2, and is not answered */
  const char *code;        /* of the last answer: "AA"; "": none */
  enum simulate_fault fault;
};

struct simulate_listening {
  const struct host *host;
  struct str address;                          /* numeric, with a port; 0: any */
  struct str certificate, key, client_ca, crl; /* empty: in clear, to this host alone */
  struct simulate_faults faults;
  int64_t late_ms, slow_ms; /* slow: a byte */
  struct str keep;          /* a folder, made with mode 0700; files of mode 0600. Empty: nothing is kept */
  uint64_t count;           /* ends after so many messages; 0: by SIGINT or SIGTERM */
  void (*ready)(void *context, uint16_t port);
  void (*got)(void *context, const struct simulate_message *message);
  void *context;
};
enum status simulate_listen(struct simulate_listening *listening, struct diag_list *diags) MUST_USE;

/* --- sending --- */

struct simulate_sent {
  struct str control, kind;
  const struct delivery_answer *answer; /* what came, and what it means */
  double ms;
};
/* One message (bytes as of a file). `fresh` takes the place of MSH-10 unless it is empty. INVALID
   with a finding: it is no message. */
enum status simulate_send(struct delivery_client *client, const struct host *host, const struct source *source, struct str fresh,
                          struct arena *arena, struct diag_list *diags, struct simulate_sent *out) MUST_USE;

#endif
