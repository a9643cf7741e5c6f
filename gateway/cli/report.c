/* report.c - findings as text like HL7's validator, as JSON, JUnit and annotations of GitHub. */
#include "cli/report.h"

/* --- text, as HL7's validator --- */

static void text_input(const struct cli_report *report, struct buf *body, struct buf *index) {
  const struct diag_list *diags = report->diags;
  (void)index;
  if (report->line && !diags->count && !diags->dropped) return; /* of many records only those with findings */
  if (!report->only) {
    buf_add_text(body, "-- ");
    buf_add_str(body, report->name);
    buf_add_char(body, '\n');
  }
  buf_printf(body, "%s: %zu errors, %zu warnings, %zu notes\n", diag_failed(diags) ? "*FAILURE*" : "Success",
             diag_errors(diags), diags->by_severity[DIAG_WARNING], diags->by_severity[DIAG_INFORMATION]);
  for (const struct diag *diag = diags->first; diag; diag = diag->next) {
    diag_render_validator(diag, body);
    buf_add_char(body, '\n');
  }
  if (diags->dropped) buf_printf(body, "  (%zu more are not shown)\n", diags->dropped);
}

/* --- JSON: an OperationOutcome a line --- */

static void json_input(const struct cli_report *report, struct buf *body, struct buf *index) {
  (void)index;
  diag_render_outcome(report->diags, report->name, body);
  buf_add_char(body, '\n');
}

/* --- JUnit --- */

void cli_report_escape(struct buf *out, struct str text) {
  for (size_t i = 0; i < text.len; i++) {
    char c = text.ptr[i];
    if (c == '&' || c == '<' || c == '>' || c == '"')
      buf_add_text(out, c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : "&quot;");
    else if ((unsigned char)c >= ' ' || c == '\n' || c == '\t')
      buf_add_char(out, c);
  }
}

static void junit_head(const struct cli_totals *totals, struct buf *out) {
  buf_printf(
      out,
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<testsuite name=\"ketlink validate\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"0\">\n",
      totals->inputs, totals->failed - totals->unreadable, totals->unreadable);
}

/* Which element of the test case tells of the findings. */
static const char *junit_element(const struct cli_report *report) {
  if (report->unreadable) return "error";
  return diag_failed(report->diags) ? "failure" : "system-out";
}

static void junit_input(const struct cli_report *report, struct buf *body, struct buf *index) {
  const struct diag_list *diags = report->diags;
  struct buf text;
  (void)index;
  buf_init(&text, LIMIT_TEXT_BYTES);
  buf_add_text(body, "  <testcase classname=\"ketlink\" name=\"");
  cli_report_escape(body, report->name);
  buf_add_text(body, "\">");
  for (const struct diag *diag = diags->first; diag; diag = diag->next) {
    diag_render_validator(diag, &text);
    buf_add_char(&text, '\n');
  }
  if (diags->dropped) buf_printf(&text, "  (%zu more are not shown)\n", diags->dropped);
  if (text.len) {
    const char *element = junit_element(report);
    buf_printf(body, "<%s", element);
    if (diag_failed(diags)) buf_printf(body, " message=\"%zu errors\"", diag_errors(diags));
    buf_add_char(body, '>');
    cli_report_escape(body, buf_str(&text));
    buf_printf(body, "</%s>", element);
  }
  buf_add_text(body, "</testcase>\n");
  buf_release(&text);
}

/* --- annotations of GitHub workflows --- */

/* Percent-encodes what ends a command or, in properties, separates them. */
static void add_github(struct buf *out, struct str text, bool property) {
  for (size_t i = 0; i < text.len; i++) {
    char c = text.ptr[i];
    if (c == '%' || c == '\r' || c == '\n' || (property && (c == ':' || c == ',')))
      buf_printf(out, "%%%02X", (unsigned)c);
    else
      buf_add_char(out, c);
  }
}

static void github_input(const struct cli_report *report, struct buf *body, struct buf *index) {
  static const char *const levels[] = {"notice", "warning", "error", "error"};
  (void)index;
  for (const struct diag *diag = report->diags->first; diag; diag = diag->next) {
    buf_printf(body, "::%s file=", levels[diag->severity]);
    add_github(body, str_of(report->path), true);
    if (diag->line) buf_printf(body, ",line=%u,col=%u", diag->line, diag->col);
    buf_printf(body, ",title=%s", diag_code_name(diag->code));
    if (diag->rule.len) buf_add_char(body, ' ');
    add_github(body, diag->rule, true);
    buf_add_text(body, "::");
    add_github(body, diag->path, false);
    if (diag->path.len) buf_add_text(body, ": ");
    add_github(body, diag->message, false);
    if (diag->profile.len) buf_add_text(body, " (defined in ");
    add_github(body, diag->profile, false);
    buf_add_text(body, diag->profile.len ? ")\n" : "\n");
  }
}

/* --- the table --- */

static const struct cli_report_format text = {.name = "text", .input = text_input};
static const struct cli_report_format json = {.name = "json", .input = json_input};
static const struct cli_report_format github = {.name = "github", .input = github_input};
static const struct cli_report_format junit = {
    .name = "junit", .spooled = true, .input = junit_input, .head = junit_head, .tail = "</testsuite>\n"};

const struct cli_report_format *cli_report_format_find(const char *name) {
  static const struct cli_report_format *const formats[] = {&text, &json, &junit, &github, &cli_report_html};
  for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
    if (strcmp(formats[i]->name, name) == 0) return formats[i];
  return NULL;
}
