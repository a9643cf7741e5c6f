/* image.c - writes the image of a pack: growing sections, texts kept once, references fixed at the end. */
#include <stdlib.h>
#include "definitions/image.h"

enum { IMAGE_PART_MAX = 1 << 30 };

enum fixup_kind { FIX_32, FIX_64, FIX_OUT };

struct image_fixup {
  struct image_place field, target;
  const void *out;
  enum fixup_kind kind;
};

static void fail(struct image *image, enum status status) {
  if (!image->error) image->error = status;
}

void def_image_init(struct image *image, struct arena *arena) {
  *image = (struct image){.arena = arena};
  for (unsigned i = 0; i < PART_COUNT; i++) {
    buf_init(&image->parts[i], IMAGE_PART_MAX);
    map_init(&image->texts[i], arena);
  }
}

void def_image_release(struct image *image) {
  for (unsigned i = 0; i < PART_COUNT; i++)
    buf_release(&image->parts[i]);
  free(image->fixups);
  image->fixups = NULL;
}

static void pad_to(struct buf *buf, size_t alignment) {
  static const char zeros[PACK_PAGE];
  size_t over = buf->len % alignment;
  if (over) buf_add(buf, zeros, alignment - over);
}

struct image_place def_image_alloc(struct image *image, enum pack_part part, size_t count, size_t size) {
  struct buf *buf = &image->parts[part];
  if (count == 0 || image->error) return (struct image_place){part, 0};
  pad_to(buf, 8);
  size_t at = buf->len, bytes = count * size;
  if (size && bytes / size != count) fail(image, STATUS_LIMIT);
  if (image->error || !buf_reserve(buf, bytes) || buf->error) {
    fail(image, buf->error ? buf->error : STATUS_LIMIT);
    return (struct image_place){part, 0};
  }
  memset(buf->ptr + at, 0, bytes);
  buf->len += bytes;
  return (struct image_place){part, (uint32_t)at + 1};
}

struct image_place def_image_plus(struct image_place place, size_t bytes) {
  if (place.at) place.at += (uint32_t)bytes;
  return place;
}

struct image_place def_image_header(size_t field) {
  return (struct image_place){PART_COUNT, (uint32_t)field + 1};
}

void *def_image_at(struct image *image, struct image_place place, size_t size) {
  if (place.at && place.part == PART_COUNT) return (char *)&image->header + place.at - 1;
  if (place.at && place.at - 1 + size <= image->parts[place.part].len)
    return image->parts[place.part].ptr + place.at - 1;
  fail(image, STATUS_NOMEM);
  memset(image->scratch, 0, sizeof image->scratch); /* reads as a free slot */
  return size <= sizeof image->scratch ? image->scratch : NULL;
}

static void add_fixup(struct image *image, struct image_fixup fixup) {
  if (image->error || !fixup.field.at) return;
  if (image->fixup_count == image->fixup_room) {
    size_t room = image->fixup_room ? image->fixup_room * 2 : 4096;
    struct image_fixup *grown = realloc(image->fixups, room * sizeof *grown);
    if (!grown) {
      fail(image, STATUS_NOMEM);
      return;
    }
    image->fixups = grown;
    image->fixup_room = room;
  }
  image->fixups[image->fixup_count++] = fixup;
}

/* Where a text stands; written when it is new to the section. */
static struct image_place place_text(struct image *image, enum pack_part part, struct str text) {
  struct map *texts = &image->texts[part];
  uintptr_t known = (uintptr_t)map_get(texts, text);
  if (known) return (struct image_place){part, (uint32_t)known};
  struct buf *buf = &image->parts[part];
  struct image_place place = {part, (uint32_t)buf->len + 1};
  buf_add_str(buf, text);
  struct str key = arena_str(image->arena, text);
  if (buf->error)
    fail(image, buf->error);
  else if (!key.ptr || map_put(texts, key, (void *)(uintptr_t)place.at))
    fail(image, STATUS_NOMEM);
  return place;
}

void def_image_text(struct image *image, struct image_place field, enum pack_part part, struct str text) {
  if (!text.len || image->error) return;
  struct image_place place = place_text(image, part, text);
  struct rel_str *at = def_image_at(image, field, sizeof *at);
  at->len = (uint32_t)text.len;
  add_fixup(image, (struct image_fixup){field, place, NULL, FIX_32});
}

void def_image_list(struct image *image, struct image_place field, struct image_place items, size_t count) {
  if (!count || image->error) return;
  struct rel_list *at = def_image_at(image, field, sizeof *at);
  at->count = (uint32_t)count;
  add_fixup(image, (struct image_fixup){field, items, NULL, FIX_32});
}

void def_image_link(struct image *image, struct image_place field, struct image_place target) {
  if (target.at) add_fixup(image, (struct image_fixup){field, target, NULL, FIX_32});
}

void def_image_ptr(struct image *image, struct image_place field, struct image_place target) {
  if (target.at) add_fixup(image, (struct image_fixup){field, target, NULL, FIX_64});
}

void def_image_ptr_out(struct image *image, struct image_place field, const void *target) {
  if (target) add_fixup(image, (struct image_fixup){field, {0, 0}, target, FIX_OUT});
}

/* Lays the sections out; STATE has pages of its own. */
size_t def_image_size(struct image *image) {
  size_t at = sizeof image->header;
  for (unsigned i = 0; i < PART_COUNT; i++) {
    size_t alignment = i == PART_STATE ? PACK_PAGE : 64;
    at = (at + alignment - 1) / alignment * alignment;
    image->header.parts[i].offset = at;
    image->header.parts[i].size = image->parts[i].len;
    at += image->parts[i].len;
  }
  image->header.size = at;
  return at;
}

static char *address(const struct image *image, char *memory, struct image_place place) {
  if (place.part == PART_COUNT) return memory + place.at - 1;
  return memory + image->header.parts[place.part].offset + place.at - 1;
}

static void apply(const struct image *image, char *memory, const char *home,
                  const struct image_fixup *fixup) {
  char *field = address(image, memory, fixup->field);
  if (fixup->kind == FIX_32) {
    int32_t off = (int32_t)(address(image, memory, fixup->target) - field);
    memcpy(field, &off, sizeof off);
    return;
  }
  int64_t off = fixup->kind == FIX_OUT
                    ? (int64_t)((uintptr_t)fixup->out - (uintptr_t)(home + (field - memory)))
                    : (int64_t)(address(image, memory, fixup->target) - field);
  memcpy(field, &off, sizeof off);
}

void def_image_finish(struct image *image, void *memory, const void *home, enum pack_state state) {
  char *bytes = memory;
  memset(bytes, 0, image->header.size);
  for (unsigned i = 0; i < PART_COUNT; i++)
    if (image->parts[i].len)
      memcpy(bytes + image->header.parts[i].offset, image->parts[i].ptr, image->parts[i].len);
  struct pack_header *header = memory;
  memcpy(header, &image->header, sizeof *header);
  for (size_t i = 0; i < image->fixup_count; i++)
    apply(image, bytes, home, &image->fixups[i]);
  memcpy(header->magic, PACK_MAGIC, sizeof header->magic);
  header->version = PACK_VERSION;
  header->byte_order = PACK_BYTE_ORDER;
  def_pack_seal(header, state);
}
