/*
 * image.h - private: writes the image of a pack. Sections grow apart; references are kept as fixups and
 * become offsets when the image is laid out at its final address.
 */
#ifndef KETLINK_DEFINITIONS_IMAGE_H
#define KETLINK_DEFINITIONS_IMAGE_H

#include "definitions/pack.h"

/* A place in the image under construction: where something will stand. */
struct image_place {
  uint32_t part; /* enum pack_part; the header is PART_COUNT */
  uint32_t at;   /* offset + 1; 0: nowhere */
};

struct image_fixup;
enum { IMAGE_SCRATCH = 256 };

struct image {
  struct arena *arena;
  struct buf parts[PART_COUNT];
  struct map texts[PART_COUNT];
  struct pack_header header;
  struct image_fixup *fixups;
  size_t fixup_count, fixup_room;
  uint64_t scratch[IMAGE_SCRATCH / 8];
  enum status error; /* the first failure; everything after it does nothing */
};

void def_image_init(struct image *image, struct arena *arena);
void def_image_release(struct image *image);

/* Room for count * size zeroed bytes, aligned to 8. */
struct image_place def_image_alloc(struct image *image, enum pack_part part, size_t count, size_t size);
/* The place `bytes` further on. */
struct image_place def_image_plus(struct image_place place, size_t bytes);
/* The memory of a place, valid until the next alloc. After a failure it is a scratch area, and NULL for more
 * than IMAGE_SCRATCH bytes. */
void *def_image_at(struct image *image, struct image_place place, size_t size);

/* Fields: a text (kept once per section), a list, a pointer inside the image or out of it. */
void def_image_text(struct image *image, struct image_place field, enum pack_part part, struct str text);
void def_image_list(struct image *image, struct image_place field, struct image_place items, size_t count);
void def_image_link(struct image *image, struct image_place field, struct image_place target); /* int32_t */
void def_image_ptr(struct image *image, struct image_place field, struct image_place target);
void def_image_ptr_out(struct image *image, struct image_place field, const void *target);
struct image_place def_image_header(size_t field);

/* The file's size; then the bytes (8-aligned; room for that many), right when they stand at `home`:
   references out of the image count from there. */
size_t def_image_size(struct image *image);
void def_image_finish(struct image *image, void *memory, const void *home, enum pack_state state);

#define IMAGE_FIELD(place, type, field) def_image_plus((place), offsetof(type, field))

#endif
