/* trouble.c - whose fault a failure is. */
#include "relay/trouble.h"

/* --- records that are refused while others are not --- */

static struct relay_suspect *find(struct relay_health *health, int64_t record) {
  for (size_t i = 0; i < health->suspect_count; i++)
    if (health->suspects[i].record == record) return &health->suspects[i];
  return NULL;
}

static void forget(struct relay_health *health, struct relay_suspect *suspect) {
  if (suspect) *suspect = health->suspects[--health->suspect_count];
}

/* Somebody has decided about them, or they went long ago: each is tried again before. */
static void forget_old(struct relay_health *health, const struct relay_destination_config *config, int64_t elapsed) {
  enum { MISSED_TURNS = 4 };
  int64_t oldest = elapsed - MISSED_TURNS * 1000 * config->retry_max_seconds;
  for (size_t i = health->suspect_count; i-- > 0;)
    if (health->suspects[i].failed_at < oldest) forget(health, &health->suspects[i]);
}

/* NULL: there are too many; it is taken in when one of them is parked. */
static struct relay_suspect *take_in(struct relay_health *health, const struct relay_destination_config *config,
                                     const struct relay_ended *ended) {
  struct relay_suspect *suspect = find(health, ended->record);
  if (suspect) return suspect;
  if (health->suspect_count == RELAY_SUSPECTS_MAX) forget_old(health, config, ended->elapsed);
  if (health->suspect_count == RELAY_SUSPECTS_MAX) return NULL;
  suspect = &health->suspects[health->suspect_count++];
  *suspect = (struct relay_suspect){.record = ended->record, .successes = health->successes};
  return suspect;
}

/* Whether others went through since this one failed: then its failure tells nothing of the destination. */
static bool others_went(struct relay_health *health, const struct relay_destination_config *config,
                        const struct relay_ended *ended, unsigned *cycles) {
  struct relay_suspect *suspect = take_in(health, config, ended);
  if (!suspect) return false;
  bool went = health->successes > suspect->successes;
  *cycles = suspect->cycles += went;
  suspect->successes = health->successes;
  suspect->failed_at = ended->elapsed;
  return went;
}

/* --- the destination --- */

static void go_well(struct relay_health *health, int64_t record) {
  forget(health, find(health, record));
  health->successes++;
  health->trouble = RELAY_FINE;
  health->failures = 0;
}

/* Failures that one may need until they are the destination's. */
static unsigned most_failures(const struct relay_verdict *verdict) {
  bool credential = verdict->http_status == 401 || verdict->http_status == 407;
  if (verdict->trouble == RELAY_BUSY) return RELAY_TROUBLE_AFTER;
  return verdict->own && !credential ? RELAY_HELD_AFTER : 1;
}

/* The wait doubles with each probe that failed. What was under way when the trouble began is no probe, and one record that
   fails again and again is not the others' reason to wait longer. */
static void put_off(struct relay_health *health, const struct relay_destination_config *config, const struct relay_ended *ended,
                    bool begins) {
  bool probe = ended->elapsed >= health->probe_at;
  if (begins)
    health->probes = 0;
  else if (probe && ended->record != health->failed)
    health->probes++;
  int64_t wait = relay_back_off(config, health->probes, ended->retry_after_ms, ended->random);
  if (begins || probe)
    health->probe_at = ended->elapsed + wait;
  else if (ended->elapsed + ended->retry_after_ms > health->probe_at)
    health->probe_at = ended->elapsed + ended->retry_after_ms;
}

static void go_badly(struct relay_health *health, const struct relay_destination_config *config,
                     const struct relay_ended *ended, const struct relay_verdict *verdict) {
  enum relay_trouble before = health->trouble;
  if (++health->failures >= most_failures(verdict)) health->trouble = verdict->trouble;
  if (health->trouble != before) health->since = ended->now;
  if (health->trouble != RELAY_FINE) {
    health->reason = verdict->reason;
    put_off(health, config, ended, before == RELAY_FINE);
  }
  health->failed = ended->record;
}

/* After so many passing faults somebody shall look, if the clinic wants that. */
static void give_up_at_last(const struct relay_destination_config *config, const struct relay_ended *ended,
                            struct relay_verdict *verdict) {
  bool again = verdict->state == OUTBOX_QUEUED || verdict->state == OUTBOX_UNKNOWN;
  verdict->fault = again;
  if (!config->attempts || !again || ended->faults + 1 < (uint64_t)config->attempts) return;
  verdict->state = OUTBOX_PARKED;
  verdict->reason = STR("gave-up");
}

void relay_health_note(struct relay_health *health, const struct relay_destination_config *config,
                       const struct relay_ended *ended, struct relay_verdict *verdict) {
  unsigned cycles = 0;
  bool went = verdict->trouble == RELAY_HELD && verdict->own && others_went(health, config, ended, &cycles);
  if (verdict->trouble == RELAY_FINE) {
    if (!verdict->unasked) go_well(health, ended->record);
  } else if (!went) {
    go_badly(health, config, ended, verdict);
  }
  if (cycles >= RELAY_SUSPECT_CYCLES) {
    forget(health, find(health, ended->record));
    /* of an attempt whose end nobody knows the reason says so: a retry looks first */
    bool unknown = verdict->state == OUTBOX_UNKNOWN;
    if (unknown || verdict->http_status) verdict->reason = unknown ? STR("gave-up") : relay_http_word(verdict->http_status);
    verdict->state = OUTBOX_PARKED;
  }
  /* what the destination is at fault for may last for weeks, and costs no record its attempts */
  if (verdict->trouble != RELAY_HELD || cycles) give_up_at_last(config, ended, verdict);
}
