/*
 * csv_rows.c - one row after the other out of a mapped text, by libcsv.
 *
 * libcsv is fed line by line: a row has ended when it says so, and goes on into the next line while a
 * quotation mark is open. Where no quotation mark is about, the key of a row is found without it.
 */
#include <csv.h>
#include <stdlib.h>
#include "intake/csv.h"

/* What libcsv's callbacks write to. */
struct feeding {
  struct csv_reader *reader;
  size_t rows;
};

void intake_csv_reader_open(struct csv_reader *reader, struct str text, char delimiter) {
  memset(reader, 0, sizeof *reader);
  reader->text = text;
  reader->delimiter = delimiter;
  buf_init(&reader->bytes, LIMIT_SET_ROW_BYTES);
}

static void parser_close(struct csv_reader *reader) {
  struct csv_parser *parser = reader->parser;
  if (!parser) return;
  if (parser->entry_buf) explicit_bzero(parser->entry_buf, parser->entry_size);
  csv_free(parser);
  free(parser);
  reader->parser = NULL;
}

void intake_csv_reader_close(struct csv_reader *reader) {
  parser_close(reader);
  buf_release(&reader->bytes);
}

/* A parser at the beginning of a row; one that has stopped in the middle of a row is not used again. */
static struct csv_parser *parser_open(struct csv_reader *reader) {
  struct csv_parser *parser = reader->parser;
  if (parser) return parser;
  parser = malloc(sizeof *parser);
  if (!parser) return NULL;
  csv_init(parser, CSV_STRICT | CSV_STRICT_FINI);
  csv_set_delim(parser, (unsigned char)reader->delimiter);
  reader->parser = parser;
  return parser;
}

static void take_cell(void *text, size_t len, void *context) {
  struct feeding *feeding = context;
  struct csv_reader *reader = feeding->reader;
  if (feeding->rows) return;
  if (reader->count < LIMIT_SET_COLUMNS) {
    reader->cells[reader->count].from = reader->bytes.len;
    buf_add(&reader->bytes, text, len);
    reader->cells[reader->count].to = reader->bytes.len;
  }
  reader->count++;
}

static void take_end(int c, void *context) {
  struct feeding *feeding = context;
  (void)c;
  feeding->rows++;
}

static void fault(struct csv_reader *reader, enum csv_fault what, size_t at) {
  reader->starved |= what == CSV_FAULT_MEMORY;
  if (reader->fault) return;
  reader->fault = what;
  reader->fault_at = at;
}

/* After the line feed of the line that begins at `from`, or the end of the text. */
static size_t after_line(struct str text, size_t from) {
  const char *lf = memchr(text.ptr + from, '\n', text.len - from);
  return lf ? (size_t)(lf - text.ptr) + 1 : text.len;
}

/* Moves over blank lines; false at the end. */
static bool begin_row(struct csv_reader *reader, size_t at, uint32_t line) {
  reader->count = 0;
  reader->fault = CSV_GOOD;
  buf_reset(&reader->bytes);
  while (at < reader->text.len) {
    size_t end = after_line(reader->text, at);
    if (str_trim(str_slice(reader->text, at, end)).len) break;
    at = end;
    line++;
  }
  reader->at = reader->end = at;
  reader->line = reader->next_line = line;
  return at < reader->text.len;
}

/* One line to the parser; false when the row cannot go on. */
static bool feed_line(struct csv_reader *reader, struct csv_parser *parser, struct feeding *feeding) {
  size_t from = reader->end, end = after_line(reader->text, from);
  const char *nul = memchr(reader->text.ptr + from, '\0', end - from);
  reader->end = end;
  reader->next_line++;
  if (nul) {
    fault(reader, CSV_FAULT_NUL, (size_t)(nul - reader->text.ptr));
    return false;
  }
  if (end - reader->at > LIMIT_SET_ROW_BYTES) {
    fault(reader, CSV_FAULT_LONG, reader->at);
    return false;
  }
  size_t done = csv_parse(parser, reader->text.ptr + from, end - from, take_cell, take_end, feeding);
  if (done == end - from) return true;
  fault(reader, csv_error(parser) == CSV_EPARSE ? CSV_FAULT_QUOTE : CSV_FAULT_MEMORY, from + done);
  return false;
}

static void end_text(struct csv_reader *reader, struct csv_parser *parser, struct feeding *feeding) {
  if (csv_fini(parser, take_cell, take_end, feeding) != 0) fault(reader, CSV_FAULT_UNCLOSED, reader->at);
}

bool intake_csv_row(struct csv_reader *reader, size_t at, uint32_t line) {
  struct feeding feeding = {.reader = reader};
  if (!begin_row(reader, at, line)) return false;
  struct csv_parser *parser = parser_open(reader);
  if (!parser) fault(reader, CSV_FAULT_MEMORY, at);
  while (!reader->fault && !feeding.rows) {
    if (reader->end < reader->text.len)
      (void)feed_line(reader, parser, &feeding);
    else
      end_text(reader, parser, &feeding);
    if (!reader->fault && !feeding.rows && reader->end == reader->text.len && !parser->pstate) break;
  }
  /* libcsv ends a row at a carriage return too: what comes after it in the line is in no row */
  if (feeding.rows > 1 || (feeding.rows && parser->pstate)) fault(reader, CSV_FAULT_RETURN, reader->at);
  if (reader->count > LIMIT_SET_COLUMNS) fault(reader, CSV_FAULT_COLUMNS, reader->at);
  if (reader->bytes.error != STATUS_OK) fault(reader, CSV_FAULT_MEMORY, reader->at);
  if (reader->end == reader->at) reader->end = reader->text.len; /* never stand still */
  if (reader->fault) parser_close(reader);
  return true;
}

struct str intake_csv_cell(const struct csv_reader *reader, size_t index) {
  if (index >= reader->count || index >= LIMIT_SET_COLUMNS) return (struct str){0};
  return str_slice(buf_str(&reader->bytes), reader->cells[index].from, reader->cells[index].to);
}

/* --- without libcsv --- */

/* The cell of a line that has no quotation mark. */
static struct str plain_cell(struct str line, char delimiter, size_t index) {
  size_t from = 0, to;
  while ((to = str_find_char(line, delimiter, from)) != SIZE_MAX && index > 0) {
    from = to + 1;
    index--;
  }
  return index ? (struct str){0} : str_trim(str_slice(line, from, to));
}

bool intake_csv_key(struct csv_reader *reader, size_t at, uint32_t line, size_t index, struct str *out) {
  if (!begin_row(reader, at, line)) return false;
  size_t end = after_line(reader->text, reader->at);
  struct str text = str_slice(reader->text, reader->at, end);
  if (memchr(text.ptr, '"', text.len) || text.len > LIMIT_SET_ROW_BYTES) {
    bool found = intake_csv_row(reader, reader->at, reader->line);
    *out = intake_csv_cell(reader, index);
    return found;
  }
  reader->end = end;
  reader->next_line++;
  *out = plain_cell(text, reader->delimiter, index);
  return true;
}

/* --- where a cell is, to be told --- */

size_t intake_csv_cell_at(struct str row, char delimiter, size_t index) {
  bool quoted = false;
  for (size_t i = 0; i < row.len; i++) {
    if (index == 0) return i;
    if (row.ptr[i] == '"') quoted = !quoted;
    if (row.ptr[i] == delimiter && !quoted) index--;
  }
  while (row.len && (row.ptr[row.len - 1] == '\n' || row.ptr[row.len - 1] == '\r'))
    row.len--;
  return row.len; /* a row that ends before the cell */
}
