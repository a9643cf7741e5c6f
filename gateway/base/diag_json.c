/* diag_json.c - rendering diagnostics as JSON and as a FHIR OperationOutcome. */
#include "base/diag.h"

static void member(struct buf *out, const char *name, struct str value) {
  if (value.len == 0) return;
  buf_printf(out, ",\"%s\":", name);
  buf_add_json(out, value);
}

static void render_object(const struct diag *diag, struct buf *out) {
  buf_add_text(out, "{\"severity\":");
  buf_add_json(out, str_of(diag_severity_name(diag->severity)));
  member(out, "code", str_of(diag_code_name(diag->code)));
  member(out, "message", diag->message);
  member(out, "file", diag->file);
  if (diag->line) buf_printf(out, ",\"line\":%u,\"column\":%u", diag->line, diag->col);
  member(out, "path", diag->path);
  member(out, "expression", diag->expression);
  member(out, "profile", diag->profile);
  member(out, "rule", diag->rule);
  member(out, "help", str_of(diag_code_help(diag->code)));
  buf_add_char(out, '}');
}

void diag_render_json(const struct diag_list *list, struct buf *out) {
  buf_add_char(out, '[');
  for (const struct diag *diag = list->first; diag; diag = diag->next) {
    if (diag != list->first) buf_add_char(out, ',');
    render_object(diag, out);
  }
  buf_add_char(out, ']');
}

#define EXTENSION "http://hl7.org/fhir/StructureDefinition/operationoutcome-issue-"
#define CODE_SYSTEM "http://ketlink.dev/fhir/CodeSystem/diagnostic"

/* Members in the order of the R4 definition. */
static void render_issue(const struct diag *diag, struct buf *out) {
  buf_add_char(out, '{');
  if (diag->line) {
    buf_printf(out, "\"extension\":[{\"url\":\"" EXTENSION "line\",\"valueInteger\":%u},", diag->line);
    buf_printf(out, "{\"url\":\"" EXTENSION "col\",\"valueInteger\":%u}],", diag->col);
  }
  buf_printf(out,
             "\"severity\":\"%s\",\"code\":\"%s\",\"details\":{\"coding\":[{\"system\":\"" CODE_SYSTEM "\",",
             diag_severity_name(diag->severity), diag_code_issue(diag->code));
  buf_printf(out, "\"code\":\"%s\"}],\"text\":", diag_code_name(diag->code));
  buf_add_json(out, diag->message.len ? diag->message : str_of(diag_code_name(diag->code)));
  buf_add_char(out, '}');
  member(out, "diagnostics", str_of(diag_code_help(diag->code)));
  if (diag->path.len) {
    buf_add_text(out, ",\"expression\":[");
    buf_add_json(out, diag->path);
    buf_add_char(out, ']');
  }
  buf_add_char(out, '}');
}

static void render_note(const char *severity, const char *code, const char *text, struct buf *out) {
  buf_printf(out, "{\"severity\":\"%s\",\"code\":\"%s\",\"details\":{\"text\":\"%s\"}}", severity, code,
             text);
}

void diag_render_outcome(const struct diag_list *list, struct buf *out) {
  buf_add_text(out, "{\"resourceType\":\"OperationOutcome\",\"issue\":[");
  for (const struct diag *diag = list->first; diag; diag = diag->next) {
    if (diag != list->first) buf_add_char(out, ',');
    render_issue(diag, out);
  }
  if (list->dropped) {
    if (list->first) buf_add_char(out, ',');
    render_note(diag_failed(list) ? "error" : "warning", "incomplete", "More was found than is listed here.",
                out);
  } else if (!list->first) {
    render_note("information", "informational", "All OK", out); /* R4 asks for at least one issue */
  }
  buf_add_text(out, "]}");
}
