/* report_html.c - findings as one page that needs nothing else: no network, no script; for screen, paper and
 * readers.
 *
 * It shows places (paths, lines) and rules, never an excerpt: that could hold patients' values.
 */
#include "cli/report.h"

static const char *const severity_words[] = {"Note", "Warning", "Error", "Fatal"};
static const char *const severity_classes[] = {"note", "warning", "error", "error"};

static const char style[] =
    ":root{--ink:#1b1f24;--soft:#57606a;--line:#d0d7de;--page:#fff;--band:#f6f8fa;--error:#b3261e;--warning:#"
    "8a5a00;"
    "--note:#0b57d0;--good:#1a6b34}\n"
    "@media "
    "(prefers-color-scheme:dark){:root{--ink:#e6e9ed;--soft:#a3adb8;--line:#3b434c;--page:#14181d;--band:#"
    "1d232a;"
    "--error:#ff8a80;--warning:#f0b95a;--note:#8ab4f8;--good:#7fd49a}}\n"
    "body{margin:0 auto;max-width:76rem;padding:1.5rem;background:var(--page);color:var(--ink);"
    "font:1rem/1.5 system-ui,sans-serif}\n"
    "h1{font-size:1.6rem;margin:0 0 .5rem}h2{font-size:1.15rem;margin:2rem 0 .5rem;overflow-wrap:anywhere}\n"
    "table{border-collapse:collapse;width:100%;font-size:.9rem}caption{text-align:left;color:var(--soft);"
    "padding:.25rem 0}\n"
    "th,td{border:1px solid var(--line);padding:.35rem "
    ".5rem;text-align:left;vertical-align:top;overflow-wrap:anywhere}\n"
    "thead th{background:var(--band);white-space:nowrap;overflow-wrap:normal}"
    "td.number,th.number{text-align:right;white-space:nowrap}\n"
    "code{font:.85rem/1.4 ui-monospace,monospace}small{display:block;color:var(--soft)}a{color:var(--note)}\n"
    ".word{font-weight:600;white-space:nowrap}.error{color:var(--error)}.warning{color:var(--warning)}"
    ".note{color:var(--note)}.good{color:var(--good)}\n"
    "tr.error td:first-child,tr.warning td:first-child,tr.note td:first-child{border-left:.35rem solid "
    "currentColor}\n"
    "tr.error,tr.warning,tr.note{color:inherit}tr.error td:first-child{color:var(--error)}"
    "tr.warning td:first-child{color:var(--warning)}tr.note td:first-child{color:var(--note)}\n"
    "@media (max-width:48rem){body{padding:.75rem}table{display:block;overflow-x:auto}"
    "td:not(.number),tbody th{min-width:9rem}}\n"
    "@media "
    "print{body{max-width:none;padding:0;font-size:10pt}thead{display:table-header-group}tr{break-inside:"
    "avoid}"
    "h2{break-after:avoid}a{color:inherit;text-decoration:none}}\n";

/* "3 errors", "1 error" */
static void add_count(struct buf *out, size_t count, const char *word) {
  buf_printf(out, "%zu %s%s", count, word, count == 1 ? "" : "s");
}

static void html_head(const struct cli_totals *totals, struct buf *out) {
  size_t errors = totals->by_severity[DIAG_ERROR] + totals->by_severity[DIAG_FATAL];
  buf_add_text(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
                    "'unsafe-inline'\">\n<title>Validation report: ");
  add_count(out, errors, "error");
  buf_printf(out, "</title>\n<style>\n%s</style>\n</head>\n<body>\n<header>\n<h1>Validation report</h1>\n<p>",
             style);
  buf_printf(out, "<strong class=\"%s\">%s</strong>: ", totals->failed ? "error" : "good",
             totals->failed ? "Failed" : "Passed");
  add_count(out, totals->inputs, "input");
  buf_printf(out, ", %zu with errors; ", totals->failed);
  add_count(out, errors, "error");
  buf_add_text(out, ", ");
  add_count(out, totals->by_severity[DIAG_WARNING], "warning");
  buf_add_text(out, ", ");
  add_count(out, totals->by_severity[DIAG_INFORMATION], "note");
  buf_add_text(
      out,
      ".</p>\n<p><small>By ketlink " KETLINK_VERSION ". Places and rules only: no content of the inputs is "
      "shown.</small></p>\n</header>\n<main>\n<h2>Inputs</h2>\n<table>\n"
      "<thead><tr><th scope=\"col\">Input</th><th scope=\"col\">Result</th>"
      "<th scope=\"col\" class=\"number\">Errors</th><th scope=\"col\" class=\"number\">Warnings</th>"
      "<th scope=\"col\" class=\"number\">Notes</th></tr></thead>\n<tbody>\n");
}

/* --- one input --- */

static void index_row(const struct cli_report *report, struct buf *index) {
  const struct diag_list *diags = report->diags;
  bool findings = diags->count || diags->dropped;
  buf_add_text(index, "<tr><th scope=\"row\">");
  if (findings) buf_printf(index, "<a href=\"#input-%zu\">", report->number);
  cli_report_escape(index, report->name);
  buf_printf(index, "%s</th><td><span class=\"word %s\">%s</span></td>", findings ? "</a>" : "",
             diag_failed(diags) ? "error" : "good",
             report->unreadable   ? "Unreadable"
             : diag_failed(diags) ? "Failed"
                                  : "Passed");
  buf_printf(index,
             "<td class=\"number\">%zu</td><td class=\"number\">%zu</td><td class=\"number\">%zu</td></tr>\n",
             diag_errors(diags), diags->by_severity[DIAG_WARNING], diags->by_severity[DIAG_INFORMATION]);
}

static void add_cell(struct buf *body, struct str text) {
  buf_add_text(body, "<td>");
  if (text.len) buf_add_text(body, "<code>");
  cli_report_escape(body, text);
  buf_add_text(body, text.len ? "</code></td>" : "</td>");
}

static void finding_row(const struct diag *diag, struct buf *body) {
  buf_printf(body, "<tr class=\"%s\"><td class=\"word\">%s</td><td class=\"number\">",
             severity_classes[diag->severity], severity_words[diag->severity]);
  if (diag->line) buf_printf(body, "%u:%u", diag->line, diag->col);
  buf_add_text(body, "</td>");
  add_cell(body, diag->path);
  buf_add_text(body, "<td>");
  cli_report_escape(body, diag->message);
  buf_add_text(body, "<small>");
  cli_report_escape(body, str_of(diag_code_help(diag->code)));
  buf_add_text(body, "</small></td>");
  add_cell(body, str_of(diag_code_name(diag->code)));
  add_cell(body, diag->rule);
  add_cell(body, diag->profile);
  buf_add_text(body, "</tr>\n");
}

static void html_input(const struct cli_report *report, struct buf *body, struct buf *index) {
  const struct diag_list *diags = report->diags;
  index_row(report, index);
  if (!diags->count && !diags->dropped) return;
  buf_printf(body, "<section aria-labelledby=\"input-%zu\">\n<h2 id=\"input-%zu\">", report->number,
             report->number);
  cli_report_escape(body, report->name);
  buf_add_text(body, "</h2>\n<table>\n<caption>");
  add_count(body, diag_errors(diags), "error");
  buf_add_text(body, ", ");
  add_count(body, diags->by_severity[DIAG_WARNING], "warning");
  buf_add_text(body, ", ");
  add_count(body, diags->by_severity[DIAG_INFORMATION], "note");
  if (diags->dropped) buf_printf(body, "; %zu more are not shown", diags->dropped);
  buf_add_text(
      body,
      "</caption>\n<thead><tr><th scope=\"col\">Severity</th><th scope=\"col\" class=\"number\">Line:column"
      "</th><th scope=\"col\">Element</th><th scope=\"col\">Finding</th><th scope=\"col\">Code</th>"
      "<th scope=\"col\">Rule</th><th scope=\"col\">Profile</th></tr></thead>\n<tbody>\n");
  for (const struct diag *diag = diags->first; diag; diag = diag->next)
    finding_row(diag, body);
  buf_add_text(body, "</tbody>\n</table>\n</section>\n");
}

const struct cli_report_format cli_report_html = {.name = "html",
                                                  .spooled = true,
                                                  .input = html_input,
                                                  .head = html_head,
                                                  .middle = "</tbody>\n</table>\n",
                                                  .tail = "</main>\n</body>\n</html>\n"};
