/* note.c - the session note: one document for all that a server does not take. */
#include "bundle/internal.h"

bool bundle_is_session_note(const struct tree_node *resource) {
  return bundle_tag(resource, "session-note") != NULL;
}

struct tree_node *bundle_session_note(const struct tree_node *bundle) {
  for (struct tree_node *entry = tree_find(bundle, "entry"); entry; entry = tree_next_same(entry)) {
    struct tree_node *resource = tree_find(entry, "resource");
    if (resource && bundle_is_session_note(resource)) return resource;
  }
  return NULL;
}

enum status bundle_note_fill(const struct bundle_params *params, struct tree_node *note, struct str page) {
  struct tree_node *content = tree_find(note, "content");
  struct tree_node *file = content ? tree_find(content, "attachment") : NULL;
  char hash[SHA1_BASE64];
  if (!file) return STATUS_INVALID; /* the map made none */
  base_sha1_base64(page, hash);
  struct str data = base_base64(page, params->arena), digest = arena_str(params->arena, str_of(hash));
  struct str size = arena_printf(params->arena, "%zu", page.len);
  if (!data.ptr || !digest.ptr || !size.ptr) return STATUS_NOMEM;
  enum status status = bundle_set(params, file, "data", data);
  if (status == STATUS_OK) status = bundle_set(params, file, "size", size);
  if (status != STATUS_OK) return status;
  tree_find(file, "size")->kind = TREE_NUMBER;
  return bundle_set(params, file, "hash", digest);
}
