/* xml_write.c - element tree to XML text. Recursion is as deep as the tree, at most TREE_DEPTH_MAX. */
#include "tree/internal.h"

struct xml_writer {
  const struct tree_write_xml *options;
  struct buf *out;
  struct str space; /* in force as the default namespace */
};

static void fail(struct xml_writer *writer, enum status status) {
  if (writer->out->error == STATUS_OK) writer->out->error = status;
}

/* --- parts --- */

static const char *escape_of(char c, bool attribute) {
  switch (c) {
  case '&':
    return "&amp;";
  case '<':
    return "&lt;";
  case '>':
    return "&gt;";
  case '\r':
    return "&#13;";
  case '"':
    return attribute ? "&quot;" : NULL;
  case '\n':
    return attribute ? "&#10;" : NULL;
  case '\t':
    return attribute ? "&#9;" : NULL;
  default:
    return NULL;
  }
}

static bool is_noncharacter(const char *at, size_t left) {
  return left >= 3 && (unsigned char)at[0] == 0xEF && (unsigned char)at[1] == 0xBF &&
         (unsigned char)at[2] >= 0xBE;
}

static void put_text(struct xml_writer *writer, struct str text, bool attribute) {
  size_t from = 0;
  for (size_t at = 0; at < text.len; at++) {
    const char *escape = escape_of(text.ptr[at], attribute);
    bool control = (unsigned char)text.ptr[at] < 0x20 && !strchr("\t\n\r", text.ptr[at]);
    if (control || !text.ptr[at] || is_noncharacter(text.ptr + at, text.len - at)) {
      fail(writer, STATUS_INVALID);
      return;
    }
    if (!escape) continue;
    buf_add(writer->out, text.ptr + from, at - from);
    buf_add_text(writer->out, escape);
    from = at + 1;
  }
  if (text.len) buf_add(writer->out, text.ptr + from, text.len - from);
}

/* Names come from anywhere: members of a JSON object too. */
static void put_name(struct xml_writer *writer, struct str name) {
  bool fine = name.len > 0;
  for (size_t i = 0; i < name.len; i++) {
    unsigned char c = (unsigned char)name.ptr[i];
    bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || c >= 0x80;
    bool later = (c >= '0' && c <= '9') || c == '-' || c == '.';
    fine &= letter || (later && i > 0);
  }
  if (!fine) fail(writer, STATUS_INVALID);
  buf_add_str(writer->out, name);
}

static void put_attribute(struct xml_writer *writer, struct str prefix, struct str name, struct str value) {
  buf_add_char(writer->out, ' ');
  if (prefix.len) {
    buf_add_str(writer->out, prefix);
    buf_add_char(writer->out, ':');
  }
  put_name(writer, name);
  buf_add_text(writer->out, "=\"");
  put_text(writer, value, true);
  buf_add_char(writer->out, '"');
}

static void new_line(struct xml_writer *writer, size_t depth) {
  if (!writer->options->pretty) return;
  buf_add_char(writer->out, '\n');
  for (size_t i = 0; i < depth; i++)
    buf_add_text(writer->out, "  ");
}

/* --- what a node is --- */

static const struct tree_node *resource_type(const struct tree_node *node) {
  return node->kind == TREE_OBJECT ? tree_find(node, "resourceType") : NULL;
}

static bool is_type_name(const struct tree_node *node) {
  return tree_is_meta(node) || str_is(node->name, "resourceType");
}

static bool has_text(const struct tree_node *node) {
  return node->kind != TREE_OBJECT && node->kind != TREE_NULL;
}

static bool is_empty(const struct tree_node *node) {
  if (has_text(node)) return false;
  for (const struct tree_node *child = node->child; child; child = child->next)
    if (!is_empty(child)) return false;
  return true;
}

static bool is_fhir_attribute(const struct tree_node *node) {
  const struct tree_node *parent = node->parent;
  if (!has_text(node) || node->child) return false;
  if (str_is(node->name, "url")) return xml_is_extension(parent->name);
  return str_is(node->name, "id") && !resource_type(parent);
}

static struct tree_xml_form form_of(const struct xml_writer *writer, const struct tree_node *node) {
  struct tree_xml_form form = {.as = TREE_XML_ELEMENT};
  if (writer->options->describe)
    writer->options->describe(node, &form);
  else if (is_fhir_attribute(node))
    form.as = TREE_XML_ATTRIBUTE;
  if (!form.name.len) form.name = node->name;
  if (form.as != TREE_XML_ELEMENT && !has_text(node)) form.as = TREE_XML_ELEMENT;
  return form;
}

/* --- elements --- */

/* A prefix from the end of a namespace: "sdtc" of "urn:hl7-org:sdtc". */
static struct str prefix_of(struct str space) {
  size_t from = space.len;
  while (from > 0 && ((space.ptr[from - 1] | 0x20) >= 'a' && (space.ptr[from - 1] | 0x20) <= 'z'))
    from--;
  return from < space.len ? str_slice(space, from, space.len) : STR("n");
}

static bool declared_before(struct xml_writer *writer, const struct tree_node *node, struct str prefix) {
  for (const struct tree_node *at = node->parent->child; at != node; at = at->next) {
    if (is_type_name(at)) continue;
    struct tree_xml_form form = form_of(writer, at);
    if (form.as == TREE_XML_ATTRIBUTE && form.space.len && str_eq(prefix_of(form.space), prefix)) return true;
  }
  return false;
}

static void put_attributes(struct xml_writer *writer, const struct tree_node *node) {
  for (const struct tree_node *child = node->child; child; child = child->next) {
    if (is_type_name(child)) continue;
    struct tree_xml_form form = form_of(writer, child);
    if (form.as != TREE_XML_ATTRIBUTE) continue;
    struct str prefix = form.space.len ? prefix_of(form.space) : (struct str){0};
    if (prefix.len && !declared_before(writer, child, prefix))
      put_attribute(writer, STR("xmlns"), prefix, form.space);
    put_attribute(writer, prefix, form.name, child->text);
  }
}

static void put_nodes(struct xml_writer *writer, const struct tree_node *node, size_t depth, bool *inside);

/* `<name attributes`, the rest, and the end; nothing in between gives `<name/>`. */
static void put_element(struct xml_writer *writer, const struct tree_node *node,
                        const struct tree_xml_form *form, size_t depth) {
  struct str outer = writer->space;
  const struct tree_node *type = resource_type(node);
  bool markup = str_is(node->name, "div") && str_starts(node->text, STR("<div"));
  bool inside = false, resource = node->parent && type != NULL;
  if (markup && !tree_xml_well_formed(node->text)) fail(writer, STATUS_INVALID);
  if (depth > TREE_DEPTH_MAX) fail(writer, STATUS_LIMIT);
  new_line(writer, depth);
  if (writer->out->error != STATUS_OK) return;
  if (markup) {
    buf_add_str(writer->out, node->text);
    return;
  }
  buf_add_char(writer->out, '<');
  put_name(writer, form->name);
  if (form->space.len && !str_eq(form->space, outer)) {
    writer->space = form->space;
    put_attribute(writer, (struct str){0}, STR("xmlns"), form->space);
  }
  if (form->type.len) {
    put_attribute(writer, STR("xmlns"), STR("xsi"), STR(XML_INSTANCE));
    put_attribute(writer, STR("xsi"), STR("type"), form->type);
  }
  if (!resource) put_attributes(writer, node);
  if (has_text(node)) put_attribute(writer, (struct str){0}, STR("value"), node->text);
  if (resource) {
    struct tree_xml_form held = {.name = type->text};
    struct tree_node alone = *node;
    alone.parent = NULL;
    buf_add_char(writer->out, '>');
    put_element(writer, &alone, &held, depth + 1);
    inside = true;
    new_line(writer, depth);
  } else {
    put_nodes(writer, node, depth, &inside);
  }
  if (inside) {
    buf_add_text(writer->out, "</");
    buf_add_str(writer->out, form->name);
    buf_add_char(writer->out, '>');
  } else {
    buf_add_text(writer->out, "/>");
  }
  writer->space = outer;
}

/* The children that are elements or text; text keeps its line. */
static void put_nodes(struct xml_writer *writer, const struct tree_node *node, size_t depth, bool *inside) {
  bool lines = false;
  for (const struct tree_node *child = node->child; child; child = child->next) {
    if (is_type_name(child) || is_empty(child)) continue;
    struct tree_xml_form form = form_of(writer, child);
    if (form.as == TREE_XML_ATTRIBUTE) continue;
    if (!*inside) buf_add_char(writer->out, '>');
    *inside = true;
    if (form.as == TREE_XML_TEXT) {
      put_text(writer, child->text, false);
      continue;
    }
    put_element(writer, child, &form, depth + 1);
    lines = true;
  }
  if (lines) new_line(writer, depth);
}

void tree_write_xml(const struct tree_node *root, const struct tree_write_xml *options, struct buf *out) {
  struct xml_writer writer = {.options = options, .out = out};
  const struct tree_node *type = resource_type(root);
  struct tree_node top = *root;
  struct tree_xml_form form = {.name = options->name, .space = options->space};
  if (!form.name.len) form.name = type ? type->text : root->name;
  if (!form.space.len && type) form.space = STR(XML_FHIR);
  if (!form.name.len) {
    fail(&writer, STATUS_INVALID);
    return;
  }
  top.parent = NULL;
  buf_add_text(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
  if (!options->pretty) buf_add_char(out, '\n');
  put_element(&writer, &top, &form, 0);
  buf_add_char(out, '\n');
}
