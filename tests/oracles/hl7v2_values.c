/*
 * hl7v2_values.c - all values of messages, for other engines to be compared with: hl7v2_values PACK FILE…
 *
 * One line of JSON a file: { "file", "values": { "PID[1]-3[1].1.1": [ text, as it stands ] } }, or { "file", "error" }. A place is a
 * segment's occurrence, field, repetition, component, subcomponent; empty ones are left out. Each value comes from the index; the
 * tree must have a leaf of the same text at the same offset, and no more leaves than there are values.
 */
#include <stdio.h>
#include <stdlib.h>
#include "hl7v2/hl7v2.h"

enum { MEMORY = 256 << 20 };

struct dump {
  struct arena *arena;
  struct diag_list diags;
  struct hl7v2_message message;
  struct tree_node **leaves; /* by offset */
  struct buf out;
  size_t values;
};

static void die(const char *what, struct str name) {
  fprintf(stderr, "hl7v2_values: %s: %.*s\n", what, STR_ARG(name));
  exit(1);
}

static size_t count_parts(struct str run, char separator) {
  size_t count = 1;
  for (size_t i = 0; separator && i < run.len; i++)
    count += run.ptr[i] == separator;
  return count;
}

/* --- values --- */

static void add_value(struct dump *d, const struct hl7v2_place *place) {
  struct str raw = hl7v2_raw(&d->message, place), text = hl7v2_value(&d->message, place, d->arena);
  if (!raw.len) return;
  size_t offset = (size_t)(raw.ptr - d->message.source->text.ptr);
  const struct tree_node *leaf = d->leaves[offset];
  if (!leaf || !str_eq(leaf->text, text)) die("the tree has another value than the index", d->message.source->name);
  buf_printf(&d->out, "%s\"%.3s[%u]-%u[%u].%u.%u\":[", d->values++ ? "," : "", place->segment, place->occurrence, place->field,
             place->repetition, place->component, place->subcomponent);
  buf_add_json(&d->out, text);
  buf_add_char(&d->out, ',');
  buf_add_json(&d->out, raw);
  buf_add_char(&d->out, ']');
}

static void add_repetition(struct dump *d, struct hl7v2_place place) {
  const struct hl7v2_delims *delims = &d->message.delims;
  size_t components = count_parts(hl7v2_raw(&d->message, &place), delims->component);
  for (place.component = 1; place.component <= components; place.component++) {
    place.subcomponent = 0;
    size_t subcomponents = count_parts(hl7v2_raw(&d->message, &place), delims->subcomponent);
    for (place.subcomponent = 1; place.subcomponent <= subcomponents; place.subcomponent++)
      add_value(d, &place);
  }
}

static void add_segment(struct dump *d, const struct hl7v2_segment *segment, uint16_t occurrence) {
  struct hl7v2_place place = {.occurrence = occurrence};
  bool header = segment == d->message.segments;
  memcpy(place.segment, segment->name, 4);
  for (place.field = header ? 3 : 1; place.field <= segment->field_count; place.field++) {
    size_t repetitions = count_parts(hl7v2_field(&d->message, segment, place.field), d->message.delims.repetition);
    for (place.repetition = 1; place.repetition <= repetitions; place.repetition++) {
      place.component = place.subcomponent = 0;
      add_repetition(d, place);
    }
  }
}

/* --- the tree beside --- */

static size_t take_leaves(struct dump *d, struct tree_node *root) {
  size_t count = 0;
  for (struct tree_node *node = root; node; node = tree_following(root, node)) {
    bool delimiters = str_is(node->name, "MSH_1") || str_is(node->name, "MSH_2");
    if (!node->text.len || delimiters) continue;
    d->leaves[tree_offset(node)] = node;
    count++;
  }
  return count;
}

static uint16_t occurrence_of(const struct hl7v2_message *message, uint32_t number) {
  uint16_t occurrence = 1;
  for (uint32_t i = 0; i < number; i++)
    occurrence = (uint16_t)(occurrence + (memcmp(message->segments[i].name, message->segments[number].name, 3) == 0));
  return occurrence;
}

static enum status dump_message(struct dump *d, const struct source *source, const struct definitions *definitions) {
  struct tree_node *root = NULL;
  enum status status = hl7v2_scan(source, NULL, d->arena, &d->diags, &d->message);
  if (status == STATUS_OK) status = hl7v2_tree(&d->message, definitions, d->arena, &d->diags, &root);
  if (status != STATUS_OK) return status;
  d->leaves = ARENA_ARRAY(d->arena, struct tree_node *, source->text.len + 1);
  if (!d->leaves) return STATUS_NOMEM;
  size_t leaves = take_leaves(d, root);
  buf_add_text(&d->out, ",\"values\":{");
  for (uint32_t i = 0; i < d->message.segment_count; i++)
    add_segment(d, &d->message.segments[i], occurrence_of(&d->message, i));
  buf_add_char(&d->out, '}');
  if (leaves != d->values) die("the tree has more values than the index", source->name);
  return STATUS_OK;
}

static void dump_file(const char *path, const struct definitions *definitions) {
  struct dump d = {.arena = arena_new(MEMORY)};
  const struct host *host = host_system();
  struct str text = {0};
  if (!d.arena) die("no memory", str_of(path));
  buf_init(&d.out, MEMORY);
  diag_list_init(&d.diags, d.arena);
  if (host->read_file(host->context, path, LIMIT_TEXT_BYTES, d.arena, &text) != STATUS_OK) die("no such file", str_of(path));
  struct source source = source_make(str_of(path), text);
  buf_add_text(&d.out, "{\"file\":");
  buf_add_json(&d.out, str_of(path));
  if (dump_message(&d, &source, definitions) != STATUS_OK) {
    buf_add_text(&d.out, ",\"error\":");
    buf_add_json(&d.out, d.diags.first ? d.diags.first->message : STR("no memory"));
  }
  if (d.out.error) die("no memory", source.name);
  printf("%.*s}\n", STR_ARG(buf_str(&d.out)));
  buf_release(&d.out);
  arena_free(d.arena);
}

int main(int argc, char **argv) {
  struct definitions *definitions = NULL;
  struct diag_list diags;
  struct arena *arena = arena_new(1 << 20);
  if (argc < 2 || !arena) return 2;
  diag_list_init(&diags, arena);
  if (definitions_open(argv[1], &diags, &definitions) != STATUS_OK) {
    printf("skipped: no definition pack at %s\n", argv[1]);
    return 77;
  }
  for (int i = 2; i < argc; i++)
    dump_file(argv[i], definitions);
  definitions_close(definitions);
  arena_free(arena);
  return 0;
}
