/* terms_draft.c - unknown words to ConceptMaps with rows to fill in, one file a ConceptMap. */
#include <ctype.h>
#include <stdlib.h>
#include <unistd.h>
#include "cli/folder.h"
#include "cli/terms.h"

enum { NAME_CHARS = 40, DRAFTS_MAX = 1000 };

struct drafting {
  struct cli *cli;
  const struct mapping_set *maps;
  struct str terminology; /* folder of the ConceptMaps in use */
  struct cli_folder folder;
  const struct cli_term **terms; /* sorted */
  size_t term_count, files, rows, hidden;
};

/* As write_row begins the target of a word. */
#define TARGET "\"target\": ["
#define TO_FILL_IN "{ \"equivalence\": \"unmatched\", \"comment\": "

/* Only as it was written: with a row filled in it is somebody's work. */
static bool is_draft(const char *name, FILE *file) {
  static const char untouched[] = TARGET TO_FILL_IN "\"" MAPPING_FILL_IN;
  char *line = NULL;
  size_t room = 0, rows = 0;
  bool draft = strstr(name, "-local") && str_ends(str_of(name), STR(".json"));
  while (draft && getline(&line, &room, file) > 0) {
    const char *target = strstr(line, TARGET);
    draft = !target || strncmp(target, untouched, sizeof untouched - 1) == 0;
    rows += target != NULL;
  }
  free(line);
  return draft && rows;
}

/* --- names --- */

/* The last part of the URL, of letters, digits and hyphens. */
static void name_of(struct str url, char out[NAME_CHARS + 1]) {
  size_t from = url.len, len = 0;
  while (from > 0 && url.ptr[from - 1] != '/')
    from--;
  for (; from < url.len && len < NAME_CHARS; from++)
    out[len++] = isalnum((unsigned char)url.ptr[from]) ? url.ptr[from] : '-';
  out[len] = '\0';
}

static bool is_taken(const struct drafting *d, struct str url, struct str id) {
  struct arena *arena = d->cli->arena;
  struct str there = arena_printf(arena, "%.*s/%.*s.json", STR_ARG(d->terminology), STR_ARG(id));
  struct str here = arena_printf(arena, "%.*s.json", STR_ARG(id));
  return mapping_has_concept_map(d->maps, url) || (there.ptr && access(there.ptr, F_OK) == 0) ||
         (here.ptr && faccessat(d->folder.fd, here.ptr, F_OK, 0) == 0);
}

/* form-local, or form-local-2 when the first is in use: what was filled in before stays. */
static bool choose_id(const struct drafting *d, struct str base, struct str *url, struct str *id) {
  struct arena *arena = d->cli->arena;
  char name[NAME_CHARS + 1];
  name_of(base, name);
  for (unsigned number = 1; number <= DRAFTS_MAX; number++) {
    struct str suffix = number == 1 ? STR("local") : arena_printf(arena, "local-%u", number);
    *id = arena_printf(arena, "%s-%.*s", name, STR_ARG(suffix));
    *url = arena_printf(arena, "%.*s-%.*s", STR_ARG(base), STR_ARG(suffix));
    if (!id->ptr || !url->ptr) return false;
    if (!is_taken(d, *url, *id)) return true;
  }
  return false;
}

/* As FHIR wants a name: FormLocal. */
static void add_name(struct str id, struct buf *out) {
  bool upper = true;
  buf_add_text(out, isalpha((unsigned char)id.ptr[0]) ? "" : "Words");
  for (size_t i = 0; i < id.len; i++) {
    char c = id.ptr[i];
    if (c != '-') buf_add_char(out, upper ? (char)toupper((unsigned char)c) : c);
    upper = c == '-';
  }
}

/* --- the resource --- */

static void member(struct buf *out, const char *indent, const char *name, struct str value) {
  buf_printf(out, "%s\"%s\": ", indent, name);
  buf_add_json(out, value);
  buf_add_text(out, ",\n");
}

static void write_head(struct str base, struct str url, struct str id, struct buf *out) {
  buf_add_text(out, "{\n  \"resourceType\": \"ConceptMap\",\n");
  member(out, "  ", "id", id);
  buf_add_text(out, "  \"extension\": [{ \"url\": \"" MAPPING_SUPPLEMENTS_URL "\", \"valueCanonical\": ");
  buf_add_json(out, base);
  buf_add_text(out, " }],\n");
  member(out, "  ", "url", url);
  buf_add_text(out, "  \"name\": \"");
  add_name(id, out);
  buf_add_text(out, "\",\n  \"status\": \"draft\",\n");
  member(out, "  ", "description",
         STR("Words of records that the ConceptMap knows no row for. A row counts when its target has a code and an "
             "equivalence (equivalent, wider); without the comment and without a code it says that no code is "
             "meant."));
}

/* What whoever fills it in has to know, and nothing of the records. */
static void write_row(const struct drafting *d, const struct cli_term *term, struct buf *out) {
  struct buf comment;
  struct str near = cli_terms_known(d->maps, term);
  struct str source, target;
  buf_init(&comment, 1 << 16);
  buf_printf(&comment, MAPPING_FILL_IN ": code, display, equivalence; %zu in %.*s", term->count,
             STR_ARG(term->element));
  if (near.len) buf_printf(&comment, "; known: %.*s", STR_ARG(near));
  for (size_t i = 1; mapping_concept_group(d->maps, term->concept_map, i, &source, &target); i++)
    buf_printf(&comment, "; or in a group with target %.*s", STR_ARG(target));
  buf_add_text(out, "        { \"code\": ");
  buf_add_json(out, term->word);
  buf_add_text(out, ", " TARGET TO_FILL_IN);
  buf_add_json(out, buf_str(&comment));
  buf_add_text(out, " }] }");
  buf_release(&comment);
}

/* Words of one system; a word in several elements has one row. */
static size_t write_rows(const struct drafting *d, size_t from, size_t to, struct str system, struct buf *out) {
  size_t rows = 0;
  for (size_t i = from; i < to; i++) {
    const struct cli_term *term = d->terms[i];
    bool again = !term->word.len || !str_eq(term->system, system);
    for (size_t before = from; before < i && !again; before++)
      again = str_eq(d->terms[before]->word, term->word) && str_eq(d->terms[before]->system, system);
    if (again) continue;
    buf_add_text(out, rows++ ? ",\n" : "");
    write_row(d, term, out);
  }
  return rows;
}

static size_t write_group(const struct drafting *d, size_t from, size_t to, struct str system, struct buf *out) {
  struct str source = STR(""), target = STR("");
  (void)mapping_concept_group(d->maps, d->terms[from]->concept_map, 0, &source, &target);
  if (system.len) source = system;
  buf_add_text(out, "    {\n");
  if (source.len) member(out, "      ", "source", source);
  if (target.len) member(out, "      ", "target", target);
  buf_add_text(out, "      \"element\": [\n");
  size_t rows = write_rows(d, from, to, system, out);
  buf_add_text(out, "\n      ]\n    }");
  return rows;
}

static size_t write_groups(const struct drafting *d, size_t from, size_t to, struct buf *out) {
  size_t rows = 0;
  buf_add_text(out, "  \"group\": [\n");
  for (size_t i = from; i < to; i++) {
    bool again = !d->terms[i]->word.len;
    for (size_t before = from; before < i && !again; before++)
      again = d->terms[before]->word.len && str_eq(d->terms[before]->system, d->terms[i]->system);
    if (again) continue;
    buf_add_text(out, rows ? ",\n" : "");
    rows += write_group(d, from, to, d->terms[i]->system, out);
  }
  buf_add_text(out, "\n  ]\n}\n");
  return rows;
}

static enum status write_file(struct drafting *d, struct str id, const struct buf *text) {
  struct str name = arena_printf(d->cli->arena, "%.*s.json", STR_ARG(id));
  if (text->error != STATUS_OK || !name.ptr) return STATUS_NOMEM;
  FILE *file = cli_folder_file(&d->folder, name.ptr);
  if (!file) return cli_folder_failed(&d->folder);
  bool failed = fwrite(text->ptr, 1, text->len, file) != text->len || fflush(file) != 0 || fsync(fileno(file)) != 0;
  enum status status = failed ? cli_folder_failed(&d->folder) : STATUS_OK;
  failed = fclose(file) != 0;
  d->files++;
  return failed && status == STATUS_OK ? cli_folder_failed(&d->folder) : status;
}

/* The terms [from, to) are of one ConceptMap. */
static enum status draft_one(struct drafting *d, size_t from, size_t to) {
  struct str base = d->terms[from]->concept_map, url, id;
  size_t words = 0;
  struct buf text;
  for (size_t i = from; i < to; i++)
    words += d->terms[i]->word.len != 0;
  bool known = mapping_has_concept_map(d->maps, base);
  d->hidden += to - from - (known ? words : 0);
  if (!words || !known) return STATUS_OK;
  if (!choose_id(d, base, &url, &id)) return STATUS_NOMEM;
  buf_init(&text, LIMIT_TEXT_BYTES);
  write_head(base, url, id, &text);
  d->rows += write_groups(d, from, to, &text);
  enum status status = write_file(d, id, &text);
  buf_release(&text);
  return status;
}

static enum status draft_all(struct drafting *d) {
  enum status status = STATUS_OK;
  for (size_t from = 0, to; status == STATUS_OK && from < d->term_count; from = to) {
    for (to = from; to < d->term_count && str_eq(d->terms[to]->concept_map, d->terms[from]->concept_map);)
      to++;
    status = draft_one(d, from, to);
  }
  return status == STATUS_OK && d->files ? cli_folder_land(&d->folder) : status;
}

static void tell(const struct drafting *d, const char *folder) {
  if (d->files)
    cli_note(d->cli, "%zu rows to fill in, in %zu files of %s; then they belong into %.*s", d->rows, d->files, folder,
             STR_ARG(d->terminology));
  if (d->hidden)
    cli_note(d->cli, "%zu lines have no row: texts, and ConceptMaps that stand within a map", d->hidden);
}

enum status cli_terms_draft(struct cli *cli, const struct cli_terms *terms, const struct mapping_set *maps,
                            struct str mappings, const char *folder) {
  struct drafting d = {.cli = cli,
                       .maps = maps,
                       .terms = cli_terms_sorted(terms),
                       .term_count = terms->index.count,
                       .terminology = arena_printf(cli->arena, "%.*s/terminology", STR_ARG(mappings))};
  if (!d.terms || !d.terminology.ptr) return STATUS_NOMEM;
  enum status status = cli_folder_begin(cli, folder, is_draft, &d.folder);
  if (status == STATUS_OK) status = draft_all(&d);
  if (status == STATUS_OK) tell(&d, folder);
  cli_folder_drop(&d.folder);
  return status;
}
