/*
 * xml_read.c - XML text to element tree, on expat. The whole text is given at once and the handlers build the
 * tree; an element that is open has a frame, so nothing recurses here or in expat.
 *
 * expat checks well-formedness and namespaces. This file refuses document type declarations as soon as they
 * begin - without one there are no entities to expand or to fetch - and every encoding but UTF-8.
 */
#include <expat.h>
#include <limits.h>
#include <stdio.h>
#include "tree/internal.h"

/* Between a namespace and a name, as expat hands them out; expat refuses namespaces that contain it. */
#define SEPARATOR '\n'

struct frame {
  struct tree_node *node;
  uint64_t seen;  /* hashes of children's names, as bits */
  size_t count;   /* of children */
  size_t text_at; /* where its text begins in xml_reader.text */
  bool resource;  /* the element of a resource: shares its node with the element that holds it */
  bool apart;     /* perhaps children of one name stand apart */
  bool told;      /* about text in it */
};

struct xml_reader {
  XML_Parser parser;
  const struct source *source;
  struct arena *arena;
  struct diag_list *diags;
  struct tree_limits limits;
  struct str space; /* of the root */
  bool fhir;
  struct tree_node *root, *div;
  struct frame *frames;
  size_t depth;
  size_t markup; /* open elements of a div */
  struct buf text;
  enum status status;
};

struct qname {
  struct str space, local;
};

/* --- faults --- */

static size_t place(const struct xml_reader *reader) {
  XML_Index at = XML_GetCurrentByteIndex(reader->parser);
  return at < 0 ? 0 : (size_t)at;
}

/* The end of the reading; only the first is told. */
static void stop(struct xml_reader *reader, enum diag_code code, const char *message) {
  struct diag_at where = {.source = reader->source, .offset = reader->parser ? place(reader) : 0};
  if (reader->status != STATUS_OK) return;
  diag_add(reader->diags, DIAG_FATAL, code, &where, "%s", message);
  reader->status = STATUS_INVALID;
  if (reader->parser) (void)XML_StopParser(reader->parser, XML_FALSE);
}

static void no_memory(struct xml_reader *reader) {
  reader->status = STATUS_NOMEM;
  if (reader->parser) (void)XML_StopParser(reader->parser, XML_FALSE);
}

static void over_limit(struct xml_reader *reader, enum diag_code code, const char *what, size_t limit) {
  char message[96];
  (void)snprintf(message, sizeof message, "more than %zu %s", limit, what);
  stop(reader, code, message);
}

/* Wrong in FHIR, but the rest can still be read. */
static void misplaced(struct xml_reader *reader, const char *what, struct str name, const char *why) {
  struct diag_at where = {.source = reader->source, .offset = place(reader)};
  struct str quoted = diag_value(reader->diags->arena, name);
  diag_error(reader->diags, DIAG_XML_CONTENT, &where, "%s%s%.*s%s", what, quoted.len ? " " : "",
             STR_ARG(quoted), why);
}

/* --- names --- */

static struct qname split(const XML_Char *name) {
  struct str whole = str_of(name);
  size_t at = str_find_char(whole, SEPARATOR, 0);
  if (at == SIZE_MAX) return (struct qname){.local = whole};
  return (struct qname){str_slice(whole, 0, at), str_slice(whole, at + 1, whole.len)};
}

/* The name of the element that begins here, prefix included: a view of the source. */
static struct str written_name(const struct xml_reader *reader) {
  struct str text = reader->source->text;
  size_t from = place(reader) + 1, to = from;
  while (to < text.len && !strchr(" \t\r\n/>", text.ptr[to]))
    to++;
  return str_slice(text, from, to);
}

static struct str local_part(struct str name) {
  size_t colon = str_find_char(name, ':', 0);
  return colon == SIZE_MAX ? name : str_slice(name, colon + 1, name.len);
}

/* --- nodes --- */

static uint64_t name_bit(struct str name) {
  const unsigned char *c = (const unsigned char *)name.ptr;
  return name.len
             ? (uint64_t)1 << ((c[0] * 7u + c[name.len - 1] * 3u + c[name.len / 2] + name.len * 31u) & 63u)
             : 1;
}

static struct tree_node *add_node(struct xml_reader *reader, struct str name, unsigned flags) {
  struct frame *frame = &reader->frames[reader->depth - 1];
  struct tree_node *last = frame->node->last;
  if (++frame->count > reader->limits.children) {
    over_limit(reader, DIAG_INPUT_TOO_MANY, "children of one element", reader->limits.children);
    return NULL;
  }
  struct tree_node *node = tree_new(reader->arena, TREE_OBJECT, name);
  if (!node) {
    no_memory(reader);
    return NULL;
  }
  if (last && str_eq(last->name, name)) {
    node->name = last->name; /* the very same view: binding is faster */
  } else {
    frame->apart |= (frame->seen & name_bit(name)) != 0;
    frame->seen |= name_bit(name);
  }
  node->flags = (uint8_t)flags;
  node->offset = (uint32_t)place(reader) + 1;
  tree_append(frame->node, node);
  return node;
}

static bool set_text(struct xml_reader *reader, struct tree_node *node, struct str text) {
  struct str copy = text.len ? arena_str(reader->arena, text) : (struct str){.ptr = ""};
  if (!copy.ptr) no_memory(reader);
  node->kind = TREE_STRING;
  node->text = copy;
  return copy.ptr != NULL;
}

static struct tree_node *add_text(struct xml_reader *reader, struct str name, struct str text,
                                  unsigned flags) {
  struct tree_node *node = add_node(reader, name, flags);
  return node && set_text(reader, node, text) ? node : NULL;
}

static struct frame *push(struct xml_reader *reader, struct tree_node *node) {
  if (reader->depth >= reader->limits.depth) {
    over_limit(reader, DIAG_INPUT_TOO_DEEP, "levels", reader->limits.depth);
    return NULL;
  }
  struct frame *frame = &reader->frames[reader->depth++];
  *frame = (struct frame){.node = node, .text_at = reader->text.len};
  return frame;
}

/* --- FHIR --- */

static void fhir_attribute(struct xml_reader *reader, struct frame *frame, const XML_Char *const *pair) {
  struct qname name = split(pair[0]);
  struct str value = str_of(pair[1]);
  bool extension = xml_is_extension(frame->node->name);
  if (str_is(name.space, XML_INSTANCE)) return;
  if (name.space.len || frame->resource) {
    misplaced(reader, "the attribute", name.local, " does not belong here");
  } else if (str_is(name.local, "value")) {
    (void)set_text(reader, frame->node, value);
  } else if (str_is(name.local, "id")) {
    (void)add_text(reader, STR("id"), value, TREE_ATTRIBUTE);
  } else if (extension && str_is(name.local, "url")) {
    (void)add_text(reader, STR("url"), value, TREE_ATTRIBUTE);
  } else {
    misplaced(reader, "the attribute", name.local, " does not belong here");
  }
}

static void open_resource(struct xml_reader *reader, struct tree_node *node, struct str name) {
  if (node->child || node->text.len) {
    misplaced(reader, "the resource", name, " must be alone in its element");
    return;
  }
  struct frame *frame = push(reader, node);
  if (!frame) return;
  frame->resource = true;
  (void)add_text(reader, STR("resourceType"), name, 0);
}

/* The div of a narrative: its text is the source's own. */
static void open_markup(struct xml_reader *reader, struct str written) {
  if (str_find_char(written, ':', 0) != SIZE_MAX) {
    stop(reader, DIAG_XML_CONTENT, "XHTML with a prefix; write <div xmlns=\"" XML_XHTML "\">");
    return;
  }
  reader->div = add_node(reader, written, 0);
  reader->markup = 1;
}

static void check_place(struct xml_reader *reader, const struct frame *parent, const struct qname *name) {
  bool url = str_is(name->local, "url") && xml_is_extension(parent->node->name);
  if (!str_is(name->space, XML_FHIR))
    misplaced(reader, "the element", name->local, " is not in the namespace " XML_FHIR);
  else if (!parent->resource && (url || str_is(name->local, "id")))
    misplaced(reader, "the element", name->local, " is an attribute here");
  else if (parent->resource && str_is(name->local, "resourceType"))
    misplaced(reader, "the element", name->local, " does not belong into XML");
}

static void open_fhir(struct xml_reader *reader, const struct qname *name, const XML_Char **attributes) {
  const struct frame *parent = &reader->frames[reader->depth - 1];
  struct str written = written_name(reader);
  struct tree_node *node = NULL;
  struct frame *frame = NULL;
  if (str_is(name->space, XML_XHTML)) {
    open_markup(reader, written);
    return;
  }
  check_place(reader, parent, name);
  bool nested = xml_names_resource(name->local) && !parent->resource;
  if (nested && !parent->node->child && !parent->node->text.len) {
    open_resource(reader, parent->node, local_part(written));
  } else {
    if (nested) misplaced(reader, "the resource", name->local, " must be alone in its element");
    node = add_node(reader, local_part(written), 0);
    if (node) frame = push(reader, node);
    if (!frame) return;
  }
  frame = &reader->frames[reader->depth - 1];
  for (size_t i = 0; attributes[i] && reader->status == STATUS_OK; i += 2)
    fhir_attribute(reader, frame, attributes + i);
}

/* --- any other XML --- */

static void plain_attribute(struct xml_reader *reader, const XML_Char *const *pair) {
  struct qname name = split(pair[0]);
  struct str kept = name.local;
  if (str_is(name.space, XML_INSTANCE)) {
    if (!str_is(name.local, "type")) return;
    kept = STR("xsi:type");
  } else {
    kept = arena_str(reader->arena, kept);
  }
  if (!kept.ptr)
    no_memory(reader);
  else
    (void)add_text(reader, kept, str_of(pair[1]), TREE_ATTRIBUTE);
}

static void open_plain(struct xml_reader *reader, const struct qname *name, const XML_Char **attributes) {
  struct str written = written_name(reader);
  bool foreign = !str_eq(name->space, reader->space);
  struct tree_node *node = add_node(reader, foreign ? written : local_part(written), 0);
  if (!node || !push(reader, node)) return;
  for (size_t i = 0; attributes[i] && reader->status == STATUS_OK; i += 2)
    plain_attribute(reader, attributes + i);
}

/* --- handlers --- */

static void open_root(struct xml_reader *reader, const struct qname *name, const XML_Char **attributes) {
  struct str local = local_part(written_name(reader));
  struct tree_node *root = tree_new(reader->arena, TREE_OBJECT, (struct str){0});
  reader->space = name->space.len ? arena_str(reader->arena, name->space) : (struct str){.ptr = ""};
  if (!root || !reader->space.ptr) {
    no_memory(reader);
    return;
  }
  reader->root = root;
  reader->fhir = str_is(name->space, XML_FHIR);
  root->offset = (uint32_t)place(reader) + 1;
  root->flags = TREE_XML;
  if (reader->fhir) {
    open_resource(reader, root, local);
  } else {
    root->name = local;
    (void)push(reader, root);
  }
  for (size_t i = 0; attributes[i] && reader->status == STATUS_OK; i += 2) {
    if (reader->fhir)
      fhir_attribute(reader, &reader->frames[0], attributes + i);
    else
      plain_attribute(reader, attributes + i);
  }
}

static void XMLCALL on_start(void *context, const XML_Char *full, const XML_Char **attributes) {
  struct xml_reader *reader = context;
  struct qname name = split(full);
  if (reader->status != STATUS_OK) return;
  if (reader->markup) {
    if (reader->depth + ++reader->markup > reader->limits.depth)
      over_limit(reader, DIAG_INPUT_TOO_DEEP, "levels", reader->limits.depth);
  } else if (!reader->root) {
    open_root(reader, &name, attributes);
  } else if (reader->fhir) {
    open_fhir(reader, &name, attributes);
  } else {
    open_plain(reader, &name, attributes);
  }
}

/* As it stands, but for a namespace that was declared further out. */
static void close_markup(struct xml_reader *reader) {
  const struct str opened = STR("<div"), declared = STR("<div xmlns=\"" XML_XHTML "\"");
  size_t from = tree_offset(reader->div);
  size_t to = place(reader) + (size_t)XML_GetCurrentByteCount(reader->parser);
  struct str text = str_slice(reader->source->text, from, to);
  struct str tag = str_slice(text, 0, str_find_char(text, '>', 0));
  if (str_starts(text, opened) && str_find(tag, STR("xmlns="), 0) == SIZE_MAX) {
    text = arena_concat(reader->arena, declared, str_slice(text, opened.len, text.len));
    if (!text.ptr) no_memory(reader);
  }
  reader->div->kind = TREE_STRING;
  reader->div->text = text;
}

static void close_element(struct xml_reader *reader) {
  struct frame *frame = &reader->frames[--reader->depth];
  struct str text = buf_str(&reader->text);
  text = str_slice(text, frame->text_at, text.len);
  if (!reader->fhir && str_trim(text).len && reader->text.error == STATUS_OK)
    (void)set_text(reader, frame->node, frame->count ? str_trim(text) : text);
  reader->text.len = frame->text_at;
  if (frame->apart && !tree_xml_group(frame->node, reader->arena)) no_memory(reader);
}

static void XMLCALL on_end(void *context, const XML_Char *name) {
  struct xml_reader *reader = context;
  (void)name;
  if (reader->status != STATUS_OK) return;
  if (!reader->markup)
    close_element(reader);
  else if (--reader->markup == 0)
    close_markup(reader);
}

static void XMLCALL on_text(void *context, const XML_Char *text, int len) {
  struct xml_reader *reader = context;
  struct str piece = {text, (size_t)len};
  if (reader->status != STATUS_OK || reader->markup || !reader->depth) return;
  struct frame *frame = &reader->frames[reader->depth - 1];
  if (!reader->fhir) {
    buf_add_str(&reader->text, piece);
    if (reader->text.error != STATUS_OK) no_memory(reader);
  } else if (!frame->told && str_trim(piece).len) {
    misplaced(reader, "text does not belong here", (struct str){0}, "; values stand in the attribute value");
    frame->told = true;
  }
}

static void XMLCALL on_doctype(void *context, const XML_Char *name, const XML_Char *system,
                               const XML_Char *public_id, int internal) {
  (void)name;
  (void)system;
  (void)public_id;
  (void)internal;
  stop(context, DIAG_XML_FORBIDDEN, "a document type declaration (DOCTYPE) is not accepted");
}

static bool is_utf8(struct str encoding) {
  char small[6] = {0};
  for (size_t i = 0; i < encoding.len && i < 5; i++)
    small[i] = (char)(encoding.ptr[i] | 0x20);
  return encoding.len == 5 && memcmp(small, "utf-8", 5) == 0;
}

static void XMLCALL on_declaration(void *context, const XML_Char *version, const XML_Char *encoding,
                                   int standalone) {
  (void)standalone;
  if (version && strcmp(version, "1.0") != 0) stop(context, DIAG_XML_SYNTAX, "only XML 1.0 is read");
  if (encoding && !is_utf8(str_of(encoding)))
    stop(context, DIAG_XML_ENCODING, "the text declares another encoding than UTF-8");
}

/* --- the document --- */

static bool check_bytes(struct xml_reader *reader, struct str text) {
  struct diag_at where = {.source = reader->source};
  bool wide = str_starts(text, STR("\xFF\xFE")) || str_starts(text, STR("\xFE\xFF")) ||
              memchr(text.ptr ? text.ptr : "", 0, text.len < 4 ? text.len : 4);
  where.offset = wide ? 0 : utf8_invalid_at(text);
  if (where.offset == SIZE_MAX) return true;
  diag_add(reader->diags, DIAG_FATAL, DIAG_XML_ENCODING, &where, "%s",
           wide ? "the text is UTF-16 or UTF-32; only UTF-8 is read" : "the text is not valid UTF-8 here");
  reader->status = STATUS_INVALID;
  return false;
}

static void parse(struct xml_reader *reader, struct str text) {
  XML_Parser parser = reader->parser;
  XML_SetUserData(parser, reader);
  XML_SetElementHandler(parser, on_start, on_end);
  XML_SetCharacterDataHandler(parser, on_text);
  XML_SetStartDoctypeDeclHandler(parser, on_doctype);
  XML_SetXmlDeclHandler(parser, on_declaration);
  if (XML_Parse(parser, text.ptr ? text.ptr : "", (int)text.len, 1) == XML_STATUS_OK) return;
  enum XML_Error error = XML_GetErrorCode(parser);
  if (error == XML_ERROR_NO_MEMORY)
    no_memory(reader);
  else
    stop(reader, DIAG_XML_SYNTAX, XML_ErrorString(error));
}

enum status tree_read_xml(const struct source *source, const struct tree_limits *limits, struct arena *arena,
                          struct diag_list *diags, struct tree_node **out) {
  struct xml_reader reader = {
      .source = source, .arena = arena, .diags = diags, .limits = limits ? *limits : tree_limits_default()};
  struct tree_limits *caps = &reader.limits;
  *out = NULL;
  if (caps->depth > TREE_DEPTH_MAX) caps->depth = TREE_DEPTH_MAX;
  if (caps->bytes > INT_MAX - 1) caps->bytes = INT_MAX - 1;
  buf_init(&reader.text, caps->bytes);
  if (source->text.len > caps->bytes) {
    over_limit(&reader, DIAG_INPUT_TOO_LARGE, "bytes", caps->bytes);
    goto done;
  }
  if (!check_bytes(&reader, source->text)) goto done;
  reader.frames = ARENA_ARRAY(arena, struct frame, caps->depth + 1);
  reader.parser = XML_ParserCreateNS("UTF-8", SEPARATOR);
  if (!reader.frames || !reader.parser) {
    reader.status = STATUS_NOMEM;
    goto done;
  }
  parse(&reader, source->text);
  if (reader.status == STATUS_OK) *out = reader.root;
done:
  if (reader.parser) XML_ParserFree(reader.parser);
  buf_release(&reader.text);
  return reader.status;
}

bool tree_is_xml(struct str text) {
  if (str_starts(text, STR("\xEF\xBB\xBF"))) text = str_slice(text, 3, text.len);
  size_t at = 0;
  while (at < text.len && strchr(" \t\r\n", text.ptr[at]) && text.ptr[at])
    at++;
  bool wide = str_starts(text, STR("\xFF\xFE<")) || str_starts(text, str_make("\xFE\xFF\0<", 4));
  return wide || (at < text.len && text.ptr[at] == '<');
}

enum status tree_read(const struct source *source, const struct tree_limits *limits, struct arena *arena,
                      struct diag_list *diags, struct tree_node **out) {
  return tree_is_xml(source->text) ? tree_read_xml(source, limits, arena, diags, out)
                                   : tree_read_json(source, limits, arena, diags, out);
}

/* --- for the writer --- */

static void XMLCALL refuse_doctype(void *context, const XML_Char *name, const XML_Char *system,
                                   const XML_Char *public_id, int internal) {
  (void)name;
  (void)system;
  (void)public_id;
  (void)internal;
  (void)XML_StopParser(context, XML_FALSE);
}

bool tree_xml_well_formed(struct str text) {
  XML_Parser parser = text.len < INT_MAX ? XML_ParserCreateNS("UTF-8", SEPARATOR) : NULL;
  if (!parser) return false;
  XML_UseParserAsHandlerArg(parser);
  XML_SetStartDoctypeDeclHandler(parser, refuse_doctype);
  bool fine = XML_Parse(parser, text.ptr ? text.ptr : "", (int)text.len, 1) == XML_STATUS_OK;
  XML_ParserFree(parser);
  return fine;
}
