/*
 * hl7v2.c - reads and writes the open HL7 v2 messages: conformance_hl7v2 FOLDER PACK [-v]
 *
 * FOLDER holds microsoft, reportstream and nasty, each with index.json. Every message must become a tree and come
 * back from it byte for byte, and the tree written without its source must read the same where all segments stood in
 * order; or it is refused for the reason in `refused`. The number of messages of a file and their MSH-9 must be those of
 * the index, and a file that the index calls malformed must give an error. Prints what differs and one line; exit status 1
 * when something failed.
 */
#include <stdio.h>
#include <stdlib.h>
#include "findings.h"
#include "hl7v2/hl7v2.h"

enum { MEMORY = 256 << 20, SKIPPED = 77 };

struct suite {
  const char *folder, *set;
  bool verbose;
  struct definitions *definitions;
  size_t passed, refused, failed;
};

/* What is not read, and why. `said` is the beginning of the message. */
static const struct {
  const char *file, *said, *why;
} refusals[] = {
    {"hl7v2-fhir-converter-Hl7MedicationRequestFHIRConversionTest.java-1176.hl7", "two delimiters are the same",
     "MSH-2 is ^~\\\\&: the escape character is the subcomponent separator"},
    {"hl7v2-fhir-converter-Hl7MedicationRequestFHIRConversionTest.java-776.hl7", "two delimiters are the same",
     "MSH-2 is ^~\\\\&: the escape character is the subcomponent separator"},
    {"hl7apy-test-parser.py-215.hl7", "two delimiters are the same",
     "MSH-2 is ^&&^: components and subcomponents cannot be told apart"},
    {"python-hl7-samples.py-sample-bad-batch.hl7", "a segment stands outside of a message", "a batch without MSH: nothing says what its segments are"},
    {"python-hl7-samples.py-sample-bad-batch1.hl7", "an envelope begins before the one before it has ended",
     "a batch in a batch, without MSH; the message before it is read"},
};

struct file {
  struct suite *suite;
  struct arena *arena;
  struct diag_list diags;
  struct source source;
  struct str event; /* of the index */
  size_t messages;
};

/* --- one message --- */

static bool complain(const char *what) {
  printf("    %s\n", what);
  return false;
}

static bool has_misplaced(const struct diag_list *diags) {
  for (const struct diag *at = diags->first; at; at = at->next)
    if (at->code == DIAG_HL7V2_MISPLACED) return true;
  return false;
}

static struct str write_tree(struct file *file, const struct tree_node *root, const struct hl7v2_message *of) {
  struct buf out;
  buf_init(&out, LIMIT_TEXT_BYTES);
  hl7v2_write(root, of, &out);
  struct str text = out.error ? (struct str){0} : buf_take_str(&out, file->arena);
  buf_release(&out);
  return text;
}

static enum status read_tree(struct file *file, const struct source *source, struct hl7v2_message *message, struct tree_node **root) {
  enum status status = hl7v2_scan(source, NULL, file->arena, &file->diags, message);
  return status ? status : hl7v2_tree(message, file->suite->definitions, file->arena, &file->diags, root);
}

static bool is_alike(struct file *file, const struct tree_node *root, size_t generic) {
  struct hl7v2_message *message = ARENA_NEW(file->arena, struct hl7v2_message);
  struct source *source = ARENA_NEW(file->arena, struct source);
  struct tree_node *again = NULL;
  if (!message || !source || generic || has_misplaced(&file->diags)) return true;
  *source = source_make(file->source.name, write_tree(file, root, NULL));
  return read_tree(file, source, message, &again) == STATUS_OK && tree_equal(root, again);
}

static enum status check_message(struct file *file, struct str bytes, uint32_t line, bool *fine) {
  struct source raw = {.name = file->source.name, .text = bytes, .first_line = line}, text = raw;
  struct hl7v2_message message;
  struct hl7v2_text decoded;
  struct tree_node *root = NULL;
  struct str back = {0};
  enum status status = hl7v2_decode(&raw, STR("UNICODE UTF-8"), file->arena, &file->diags, &decoded);
  if (status) return status;
  text.text = decoded.text;
  status = read_tree(file, &text, &message, &root);
  if (status) return status;
  struct str event = hl7v2_field(&message, message.segments, 9);
  if (!str_eq(event, file->event)) *fine = complain("MSH-9 differs from the index");
  decoded.text = write_tree(file, root, &message);
  if (hl7v2_encode(&decoded, file->arena, &back) || !str_eq(back, bytes)) *fine = complain("written, it is another text");
  bool generic = str_is(hl7v2_structure(&message), "GENERIC");
  if (!is_alike(file, root, generic)) *fine = complain("written without its source and read again, it is another tree");
  return STATUS_OK;
}

/* --- one file --- */

static bool expect_refusal(const struct file *file, struct str name, bool any) {
  const struct diag *said = file->diags.first;
  while (said && said->severity < DIAG_ERROR)
    said = said->next;
  for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
    if (!str_is(name, refusals[i].file)) continue;
    if (said && str_starts(said->message, str_of(refusals[i].said))) return true;
    return complain("it should be refused for the reason that is written down");
  }
  return any ? complain("it is refused, and no reason is written down") : true;
}

static bool check_file(struct file *file, const struct tree_node *entry, struct str name, bool *refused) {
  struct hl7v2_batch batch = hl7v2_batch_open(file->source.text);
  struct str message, malformed = tree_text(entry, "malformed"), messages = tree_text(entry, "messages");
  uint32_t line;
  bool fine = true;
  enum status status;
  int64_t wanted = 1;
  *refused = false;
  while ((status = hl7v2_batch_next(&batch, file->source.name, &file->diags, &message, &line)) != STATUS_NOT_FOUND) {
    if (status == STATUS_OK) status = check_message(file, message, line, &fine);
    file->messages += status == STATUS_OK;
    *refused |= status != STATUS_OK;
  }
  if (!expect_refusal(file, name, *refused)) fine = false;
  if (messages.len && str_to_int64(messages, &wanted) && !*refused && file->messages != (size_t)wanted) fine = complain("another number of messages");
  if (malformed.len && str_is(malformed, "true") != *refused) fine = complain("whether it is malformed");
  return fine;
}

static void run_entry(struct suite *suite, const struct tree_node *entry) {
  const struct host *host = host_system();
  struct file file = {.suite = suite, .arena = arena_new(MEMORY), .event = tree_text(entry, "event")};
  struct str name = tree_text(entry, "file"), text;
  bool refused;
  if (!file.arena) abort();
  diag_list_init(&file.diags, file.arena);
  struct str path = arena_printf(file.arena, "%s/%s/%.*s", suite->folder, suite->set, STR_ARG(name));
  if (host->read_file(host->context, path.ptr, LIMIT_TEXT_BYTES, file.arena, &text) != STATUS_OK) abort();
  file.source = source_make(path, text);
  size_t slash = str_find_char(name, '/', 0);
  bool fine = check_file(&file, entry, str_slice(name, slash + 1, name.len), &refused);
  suite->passed += fine && !refused;
  suite->refused += fine && refused;
  suite->failed += !fine;
  if (!fine) printf("  FAILED %.*s\n", STR_ARG(tree_text(entry, "id")));
  if (!fine || suite->verbose) show_findings(&file.diags, suite->verbose ? DIAG_INFORMATION : DIAG_WARNING);
  arena_free(file.arena);
}

/* --- the sets --- */

static bool run_set(struct suite *suite, const char *set) {
  const struct host *host = host_system();
  struct arena *arena = arena_new(MEMORY);
  struct diag_list diags;
  struct tree_node *index = NULL;
  struct str text = {0};
  char path[4096];
  snprintf(path, sizeof path, "%s/%s/index.json", suite->folder, set);
  suite->set = set;
  if (!arena) abort();
  diag_list_init(&diags, arena);
  bool there = host->read_file(host->context, path, LIMIT_TEXT_BYTES, arena, &text) == STATUS_OK;
  struct source source = source_make(str_of(path), text);
  there = there && tree_read(&source, NULL, arena, &diags, &index) == STATUS_OK;
  for (const struct tree_node *entry = there ? tree_first(index) : NULL; entry; entry = tree_next(entry))
    run_entry(suite, entry);
  arena_free(arena);
  return there;
}

int main(int argc, char **argv) {
  static const char *const sets[] = {"microsoft", "reportstream", "nasty"};
  if (argc < 3) return 2;
  struct suite suite = {.folder = argv[1], .verbose = argc > 3};
  struct arena *arena = arena_new(1 << 20);
  struct diag_list diags;
  bool any = false;
  if (!arena) return 1;
  diag_list_init(&diags, arena);
  if (definitions_open(argv[2], &diags, &suite.definitions) != STATUS_OK) {
    printf("hl7v2: skipped (no definition pack at %s)\n", argv[2]);
    return SKIPPED;
  }
  for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++)
    any |= run_set(&suite, sets[i]);
  definitions_close(suite.definitions);
  arena_free(arena);
  if (!any) {
    printf("hl7v2: skipped (no index.json in the folders of %s)\n", suite.folder);
    return SKIPPED;
  }
  printf("hl7v2: %zu passed, %zu failed, 0 skipped; %zu of those that passed are refused for a reason\n", suite.passed + suite.refused,
         suite.failed, suite.refused);
  return suite.failed ? 1 : 0;
}
