/* page.c - the page as a whole: head, who and when, what stands out, the parts, what was sent where. */
#include "report/internal.h"

void report_heading(struct report_page *page, const char *id, const char *title) {
  buf_printf(page->out, "<h2 id=\"%s\">%s</h2>\n", id, title);
}

/* --- who and when --- */

static void write_name(struct report_page *page, const struct tree_node *patient) {
  report_value(page, patient, "family", REPORT_TEXT);
  if (tree_text(patient, "family").len && tree_text(patient, "given").len) buf_add_text(page->out, ", ");
  report_value(page, patient, "given", REPORT_TEXT);
}

static void write_clinic(struct report_page *page, const struct tree_node *session) {
  (void)session;
  report_value(page, tree_find(page->record, "clinic"), "name", REPORT_TEXT);
}

static void write_period(struct report_page *page, const struct tree_node *session) {
  buf_add_text(page->out, "<time>");
  report_escape(page->out, page->day);
  buf_add_text(page->out, "</time>, ");
  report_value(page, session, "start", REPORT_TIME);
  buf_add_text(page->out, "\xE2\x80\x93");
  if (tree_text(session, "stop").len)
    report_value(page, session, "stop", REPORT_TIME);
  else
    report_absent(page);
}

static const struct report_field patient_fields[] = {
    {"Patient", "mrn", REPORT_TEXT, true, write_name},
    {"Born", "birthDate", REPORT_TEXT, true, NULL},
    {"Sex", "sex", REPORT_WORD, true, NULL},
    {"Record number", "mrn", REPORT_TEXT, true, NULL},
};
static const struct report_field session_fields[] = {
    {"When", "start", REPORT_TIME, true, write_period}, {"Clinic", "id", REPORT_TEXT, true, write_clinic},
    {"Clinician in charge", "lead", REPORT_PERSON, true, NULL}, {"Room", "room", REPORT_TEXT, false, NULL},
    {"Session", "id", REPORT_TEXT, true, NULL},         {"Status", "status", REPORT_WORD, true, NULL},
    {"Kind of visit", "class", REPORT_WORD, true, NULL},
};

static void add_header(struct report_page *page) {
  const struct tree_node *session = tree_find(page->record, "session");
  const struct tree_node *patient = tree_find(page->record, "patient");
  buf_add_text(page->out, "<header>\n<h1>");
  report_value(page, session, "type", REPORT_WORD);
  buf_add_text(page->out, "</h1>\n");
  report_fields(page, patient, patient_fields, sizeof patient_fields / sizeof patient_fields[0]);
  report_fields(page, session, session_fields, sizeof session_fields / sizeof session_fields[0]);
  buf_add_text(page->out, "</header>\n");
}

/* --- what was sent where --- */

static void sent_cell(struct report_page *page, struct str text) {
  buf_add_text(page->out, "<td>");
  report_isolate(page->out, text);
  buf_add_text(page->out, "</td>");
}

static void add_sent_row(struct report_page *page, const struct report_sent *sent) {
  buf_add_text(page->out, "<tr>");
  sent_cell(page, sent->destination);
  sent_cell(page, sent->type);
  sent_cell(page, sent->key);
  buf_printf(page->out, "<td>%s", sent->stored ? "stored" : "<strong class=\"alert\">not stored</strong>");
  if (sent->reason.len) {
    buf_add_text(page->out, ": ");
    report_isolate(page->out, sent->reason);
  }
  buf_add_text(page->out, "</td>");
  sent_cell(page, sent->location);
  sent_cell(page, sent->version);
  buf_add_text(page->out, "</tr>\n");
}

static void add_sent(struct report_page *page) {
  const struct report_params *params = page->params;
  if (params->document) return;
  report_heading(page, "sent", "What was sent where");
  if (!params->sent_count) {
    buf_add_text(page->out, "<p class=\"none\">Not known to this page.</p>\n");
    return;
  }
  report_table_open(page, "sent", "Resources, as the servers answered");
  buf_add_text(page->out, "<thead><tr><th scope=\"col\">Destination</th><th scope=\"col\">Type</th>"
                          "<th scope=\"col\">Key</th><th scope=\"col\">State</th><th scope=\"col\">Location</th>"
                          "<th scope=\"col\">Version</th></tr></thead>\n<tbody>\n");
  for (size_t i = 0; i < params->sent_count; i++)
    add_sent_row(page, &params->sent[i]);
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
  report_sections(page);
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
