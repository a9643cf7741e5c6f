/*
 * report.h - one session as a page that people read: what happened when, on one sheet.
 *
 * The page is one HTML document that needs nothing else: no network, no script, no font. It begins with who and
 * when and what stands out, goes on with a timeline (inline SVG: treatment, medicines beside it, blood pressure,
 * heart rate, oxygen saturation, respiratory rate, sedation, adverse events) and then has tables with all of the
 * record's facts, so that nobody depends on the picture. It prints, it follows light and dark, and neither colour
 * nor shape alone carries a meaning.
 *
 * What stands in the record is shown as it is written there: numbers keep their text, times their own offset.
 * Nothing is judged. Computed is only what is named so: the change between two totals of one scale, and which
 * reading is the highest or lowest. Where something absent matters, the page says "not recorded".
 *
 * The record is hostile text: all of it is escaped, control characters become visible, directions of writing
 * cannot leave their cell. Coordinates are whole numbers and no clock is read: the same record gives the same
 * bytes on every machine. Caps: those of `out`, and of the picture as internal.h names them; what the picture
 * leaves out is said below it, the tables leave nothing out.
 *
 * Notes whose sensitivity is psychotherapy-note are left out (the page says how many) unless asked for.
 */
#ifndef KETLINK_REPORT_REPORT_H
#define KETLINK_REPORT_REPORT_H

#include "base/base.h"
#include "tree/tree.h"

/* One row of "what was sent where". Empty texts are unknown. */
struct report_sent {
  struct str destination, type, key, location, version, reason;
  struct str action; /* what became of it in a word: created, updated, same, left-out … */
  bool stored;
  bool in_note; /* not sent by itself, but its facts stand in the session note */
};

struct report_params {
  const struct tree_node *record;  /* tree of a session-record/1 that its model has passed */
  struct arena *arena;             /* scratch */
  const struct report_sent *sent;  /* or NULL */
  size_t sent_count;
  bool psychotherapy_notes;        /* these notes too */
  bool document;                   /* as attachment of a session note: without "what was sent where" */
};

/* The page, added to `out`. STATUS_NOMEM, or the error of `out` (STATUS_LIMIT). */
enum status report_session_html(const struct report_params *params, struct buf *out) MUST_USE;

#endif
