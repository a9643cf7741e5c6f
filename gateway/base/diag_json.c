/* diag_json.c - rendering diagnostics as JSON and as a FHIR OperationOutcome. */
#include "base/diag.h"
#include "base/limits.h"

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
  member(out, "heading", diag->column);
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

#define EXTENSION "http://hl7.org/fhir/StructureDefinition/operationoutcome-"
#define CODE_SYSTEM "http://ketlink.dev/fhir/CodeSystem/diagnostic"

/* `[` before the first, `,` before the others. */
static void begin_extension(struct buf *out, size_t *count, const char *url) {
  buf_printf(out, "%s{\"url\":\"%s\",", (*count)++ ? "," : "\"extension\":[", url);
}

static void number_extension(struct buf *out, size_t *count, const char *url, uint32_t number) {
  begin_extension(out, count, url);
  buf_printf(out, "\"valueInteger\":%u}", number);
}

/* PROFILE#RULE as HL7's validator names an invariant; what is no invariant has its code there. */
static void id_extension(const struct diag *diag, struct buf *out, size_t *count) {
  struct buf id;
  if (!diag->rule.len && !diag->profile.len) return;
  buf_init(&id, LIMIT_TEXT_BYTES);
  buf_add_str(&id, diag->profile);
  buf_add_text(&id, diag->profile.len ? "#" : "");
  buf_add_str(&id, diag->rule.len ? diag->rule : str_of(diag_code_name(diag->code)));
  begin_extension(out, count, EXTENSION "message-id");
  buf_add_text(out, "\"valueCode\":");
  buf_add_json(out, buf_str(&id));
  buf_add_char(out, '}');
  buf_release(&id);
}

static void render_extensions(const struct diag *diag, struct buf *out) {
  size_t count = 0;
  if (diag->line) {
    number_extension(out, &count, EXTENSION "issue-line", diag->line);
    number_extension(out, &count, EXTENSION "issue-col", diag->col);
  }
  id_extension(diag, out, &count);
  if (count) buf_add_text(out, "],");
}

/* Members in the order of the R4 definition. */
static void render_issue(const struct diag *diag, struct buf *out) {
  buf_add_char(out, '{');
  render_extensions(diag, out);
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

void diag_render_outcome(const struct diag_list *list, struct str file, struct buf *out) {
  buf_add_text(out, "{\"resourceType\":\"OperationOutcome\",");
  if (file.len) {
    buf_add_text(out, "\"extension\":[{\"url\":\"" EXTENSION "file\",\"valueString\":");
    buf_add_json(out, file);
    buf_add_text(out, "}],");
  }
  buf_add_text(out, "\"issue\":[");
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
