/* page.c - the page as a whole: head, who and when, what stands out, the parts, what was sent where. */
#include "report/internal.h"

void report_heading(struct report_page *page, const char *id, const char *title) {
  buf_printf(page->out, "<h2 id=\"%s\">%s</h2>\n", id, title);
}

/* --- who and when --- */

static void add_part(struct report_page *page, const struct tree_node *object, const char *field,
                     enum report_cell cell, const char *before) {
  if (!tree_text(object, field).len) return;
  buf_add_text(page->out, before);
  report_value(page, object, field, cell);
}

static void add_patient(struct report_page *page, const struct tree_node *patient) {
  const char *between = tree_text(patient, "family").len ? ", " : "";
  buf_add_text(page->out, "<p class=\"who\"><strong>");
  report_value(page, patient, "family", REPORT_TEXT);
  for (const struct tree_node *given = tree_find(patient, "given"); given; given = tree_next_same(given)) {
    if (!given->text.len) continue;
    buf_add_text(page->out, between);
    report_isolate(page->out, given->text);
    between = " ";
  }
  buf_add_text(page->out, "</strong>");
  add_part(page, patient, "birthDate", REPORT_TEXT, " \xC2\xB7 born ");
  add_part(page, patient, "deceasedOn", REPORT_TEXT, " \xC2\xB7 died ");
  add_part(page, patient, "deceased", REPORT_YES, " \xC2\xB7 deceased: ");
  add_part(page, patient, "sex", REPORT_WORD, " \xC2\xB7 ");
  add_part(page, patient, "mrn", REPORT_TEXT, " \xC2\xB7 record number ");
  buf_add_text(page->out, "</p>\n");
}

static void write_clinic(struct report_page *page, const struct tree_node *session) {
  (void)session;
  report_value(page, tree_find(page->record, "clinic"), "name", REPORT_TEXT);
}

static void write_period(struct report_page *page, const struct tree_node *session) {
  report_escape(page->out, page->day);
  buf_add_text(page->out, ", ");
  report_value(page, session, "start", REPORT_TIME);
  buf_add_text(page->out, "\xE2\x80\x93");
  if (tree_text(session, "stop").len)
    report_value(page, session, "stop", REPORT_TIME);
  else
    report_absent(page);
}

static void write_zone(struct report_page *page, const struct tree_node *session) {
  (void)session;
  report_offset(page->out, page->offset);
  add_part(page, tree_find(page->record, "clinic"), "timeZone", REPORT_TEXT, ", clinic: ");
}

static void write_course(struct report_page *page, const struct tree_node *session) {
  const struct tree_node *course = tree_find(page->record, "course");
  report_value(page, session, "course", REPORT_TEXT);
  if (!course) return;
  add_part(page, course, "status", REPORT_WORD, ", ");
  add_part(page, course, "start", REPORT_TEXT, ", from ");
  add_part(page, course, "stop", REPORT_TEXT, " to ");
}

static void write_signed(struct report_page *page, const struct tree_node *session) {
  (void)session;
  const struct tree_node *signature = tree_find(page->record, "signed");
  if (!signature) {
    report_absent(page);
    return;
  }
  report_value(page, signature, "by", REPORT_PERSON);
  buf_add_text(page->out, ", ");
  report_value(page, signature, "at", REPORT_TIME);
  add_part(page, signature, "software", REPORT_TEXT, ", in ");
}

static void write_indications(struct report_page *page, const struct tree_node *session) {
  report_diagnoses(page, session, "indications");
}

static const struct report_field session_fields[] = {
    {"When", "start", REPORT_TIME, true, write_period},
    {"Time zone", "start", REPORT_TEXT, true, write_zone},
    {"Clinic", "id", REPORT_TEXT, true, write_clinic},
    {"Clinician in charge", "lead", REPORT_PERSON, true, NULL},
    {"Reason", "indications", REPORT_WORD, true, write_indications},
    {"Room", "room", REPORT_TEXT, false, NULL},
    {"Kind of visit", "class", REPORT_WORD, true, NULL},
    {"By way of", "modality", REPORT_WORD, false, NULL},
    {"Patient's place", "patientPlace", REPORT_WORD, false, NULL},
    {"Status", "status", REPORT_WORD, true, NULL},
};

/* What matters to whoever keeps the records: at the end of the page. */
static const struct report_field record_fields[] = {
    {"Session", "id", REPORT_TEXT, true, NULL},
    {"Revision", "revision", REPORT_NUMBER, true, NULL},
    {"Course", "course", REPORT_TEXT, false, write_course},
    {"Appointment", "appointment", REPORT_TEXT, false, NULL},
    {"Signed", "id", REPORT_TEXT, true, write_signed},
};

/* A record that is not to be relied on says so before anything else. */
static void add_banner(struct report_page *page, const struct tree_node *session) {
  struct str status = tree_text(session, "status");
  if (str_is(status, "entered-in-error"))
    buf_add_text(page->out, "<p class=\"banner alert\">Entered in error: do not rely on this record.</p>\n");
  else if (!str_is(status, "finished")) {
    buf_add_text(page->out, "<p class=\"banner alert\">This session is not finished: ");
    report_word(page->out, status);
    buf_add_text(page->out, ".</p>\n");
  }
}

/* "Ketamine infusion": the first letter of a heading is a capital. */
static void add_type(struct report_page *page, const struct tree_node *session) {
  struct buf words;
  buf_init(&words, LIMIT_RECORD_BYTES);
  report_word_plain(&words, tree_text(session, "type"));
  if (words.len && words.ptr[0] >= 'a' && words.ptr[0] <= 'z') words.ptr[0] = (char)(words.ptr[0] - 'a' + 'A');
  report_escape(page->out, buf_str(&words));
  if (words.error != STATUS_OK) page->status = words.error;
  buf_release(&words);
  add_part(page, session, "number", REPORT_NUMBER, ", session ");
}

static void add_header(struct report_page *page) {
  const struct tree_node *session = tree_find(page->record, "session");
  buf_add_text(page->out, "<header>\n");
  add_banner(page, session);
  buf_add_text(page->out, "<h1>");
  add_type(page, session);
  buf_add_text(page->out, "</h1>\n");
  add_patient(page, tree_find(page->record, "patient"));
  report_fields(page, session, session_fields, sizeof session_fields / sizeof session_fields[0]);
  buf_add_text(page->out, "</header>\n");
}

/* --- what was sent where --- */

static void sent_cell(struct report_page *page, struct str text) {
  buf_add_text(page->out, "<td>");
  report_isolate(page->out, text);
  buf_add_text(page->out, "</td>");
}

static void add_state(struct report_page *page, const struct report_sent *sent) {
  buf_add_text(page->out, "<td>");
  if (sent->stored)
    report_word(page->out, sent->action.len ? sent->action : STR("stored"));
  else
    buf_add_text(page->out, sent->in_note ? "in the session note only" : "<strong class=\"alert\">not stored</strong>");
  if (sent->reason.len) {
    buf_add_text(page->out, ": ");
    report_word(page->out, sent->reason);
  }
  buf_add_text(page->out, "</td>");
}

static void add_sent_row(struct report_page *page, const struct report_sent *sent, bool destinations) {
  buf_add_text(page->out, "<tr>");
  if (destinations) sent_cell(page, sent->destination);
  sent_cell(page, sent->type);
  sent_cell(page, sent->key);
  add_state(page, sent);
  sent_cell(page, sent->location);
  sent_cell(page, sent->version);
  buf_add_text(page->out, "</tr>\n");
}

static void add_sent(struct report_page *page) {
  const struct report_params *params = page->params;
  if (params->document) return;
  report_heading(page, "sent", "What was sent where");
  if (!params->sent_count) {
    buf_add_text(page->out, "<p class=\"none\">Not known: this page was made without the answers of servers.</p>\n");
    return;
  }
  bool destinations = false;
  for (size_t i = 0; i < params->sent_count; i++)
    destinations |= params->sent[i].destination.len != 0;
  report_table_open(page, "sent", "Resources, as the servers answered", params->sent_count);
  buf_printf(page->out, "<thead><tr>%s<th scope=\"col\">Type</th>", destinations ? "<th scope=\"col\">Destination</th>" : "");
  buf_add_text(page->out, "<th scope=\"col\">Key</th><th scope=\"col\">State</th><th scope=\"col\">Location</th>"
                          "<th scope=\"col\">Version</th></tr></thead>\n<tbody>\n");
  for (size_t i = 0; i < params->sent_count; i++)
    add_sent_row(page, &params->sent[i], destinations);
  buf_add_text(page->out, "</tbody>\n");
  report_table_close(page);
}

/* --- the whole --- */

static void add_title(struct report_page *page) {
  const struct tree_node *session = tree_find(page->record, "session");
  buf_add_text(page->out, "<title>Session ");
  report_escape(page->out, tree_text(session, "id"));
  buf_add_text(page->out, ": ");
  report_word(page->out, tree_text(session, "type"));
  buf_add_text(page->out, "</title>\n");
}

static void add_page(struct report_page *page) {
  buf_add_text(page->out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                          "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
                          "'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
                          "<meta name=\"referrer\" content=\"no-referrer\">\n<meta name=\"color-scheme\" "
                          "content=\"light dark\">\n");
  add_title(page);
  buf_add_text(page->out, "<style>\n");
  buf_add_text(page->out, report_style);
  buf_add_text(page->out, "</style>\n</head>\n<body>\n");
  add_header(page);
  buf_add_text(page->out, "<main>\n");
  report_glance(page);
  report_plot(page);
  report_sections(page);
  report_heading(page, "record", "Record");
  report_fields(page, tree_find(page->record, "session"), record_fields,
                sizeof record_fields / sizeof record_fields[0]);
  add_sent(page);
  buf_add_text(page->out, "</main>\n</body>\n</html>\n");
}

enum status report_session_html(const struct report_params *params, struct buf *out) {
  struct report_page page = {.params = params, .record = params->record, .arena = params->arena, .out = out};
  const struct tree_node *session = tree_find(page.record, "session");
  struct datetime start;
  if (!session || !tree_find(page.record, "clinic") || !tree_find(page.record, "patient")) return STATUS_INVALID;
  if (report_instant(tree_text(session, "start"), &start)) {
    page.offset = start.offset;
    page.day = str_slice(tree_text(session, "start"), 0, 10);
  }
  page.status = report_index(&page);
  if (page.status == STATUS_OK) add_page(&page);
  return page.status != STATUS_OK ? page.status : out->error;
}
