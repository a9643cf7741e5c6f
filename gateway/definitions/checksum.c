/* checksum.c - the hash over sections of a pack, and the checks made with it. */
#include "definitions/pack.h"

/* Multiplication by an odd number and rotation lose nothing: a lane that has once gone astray stays so. */
static inline uint64_t mix(uint64_t lane, uint64_t word) {
  lane = (lane ^ word) * 0xD6E8FEB86659FD93u;
  return lane << 29 | lane >> 35;
}

static inline uint64_t load(const unsigned char *at) {
  uint64_t word;
  memcpy(&word, at, sizeof word);
  return word;
}

/* Six independent lanes in registers hide the latency of multiplication. */
uint64_t def_pack_checksum(const void *bytes, size_t size) {
  const unsigned char *at = bytes;
  uint64_t a = 1, b = 2, c = 3, d = 4, e = 5, f = 6, hash = mix(0x9E3779B97F4A7C15u, size);
  for (; size >= 48; size -= 48, at += 48) {
    a = mix(a, load(at));
    b = mix(b, load(at + 8));
    c = mix(c, load(at + 16));
    d = mix(d, load(at + 24));
    e = mix(e, load(at + 32));
    f = mix(f, load(at + 40));
  }
  for (; size >= 8; size -= 8, at += 8)
    hash = mix(hash, load(at));
  for (; size; size--, at++)
    hash = mix(hash, *at);
  hash = mix(mix(mix(hash, a), b), c);
  return mix(mix(mix(hash, d), e), f);
}

static const void *part_bytes(const struct pack_header *header, unsigned part) {
  return (const char *)header + header->parts[part].offset;
}

/* STATE changes while a pack is used and is not covered. */
static uint64_t part_hash(const struct pack_header *header, unsigned part) {
  if (part == PART_STATE) return 0;
  return def_pack_checksum(part_bytes(header, part), header->parts[part].size);
}

static uint64_t header_hash(const struct pack_header *header) {
  struct pack_header copy = *header;
  copy.hash = 0;
  return def_pack_checksum(&copy, sizeof copy);
}

static uint8_t *state_of(const struct pack_terms *terms) {
  return (uint8_t *)((uintptr_t)&terms->state + (uintptr_t)(intptr_t)terms->state);
}

static void seal_terms(const struct rel_list *list, enum pack_state state) {
  const struct pack_name *names = rel_items(list);
  for (uint32_t n = 0; n < list->count; n++) {
    if (!names[n].key.len) continue;
    struct pack_terms *terms =
        (struct pack_terms *)((uintptr_t)&names[n].target + (uintptr_t)(intptr_t)names[n].target);
    terms->hash = def_pack_checksum(rel_items(&terms->block), terms->block.count);
    *state_of(terms) = (uint8_t)state;
  }
}

void def_pack_seal(struct pack_header *header, enum pack_state state) {
  seal_terms(&header->value_sets, state);
  seal_terms(&header->code_systems, state);
  for (unsigned i = 0; i < PART_COUNT; i++)
    header->parts[i].hash = part_hash(header, i);
  header->hash = header_hash(header);
}

static bool parts_fit(const struct pack_header *header) {
  uint64_t end = sizeof *header;
  for (unsigned i = 0; i < PART_COUNT; i++) {
    const struct pack_section *part = &header->parts[i];
    if (part->offset < end || part->offset > header->size || part->size > header->size - part->offset)
      return false;
    end = part->offset + part->size;
  }
  return end == header->size;
}

bool def_pack_check(const struct pack_header *header, size_t size, const char **why) {
  const char *wrong = NULL;
  if (size < sizeof *header || memcmp(header->magic, PACK_MAGIC, sizeof header->magic) != 0)
    wrong = "it is not a definition pack";
  else if (header->byte_order != PACK_BYTE_ORDER)
    wrong = "it was built on a machine of another byte order";
  else if (header->version != PACK_VERSION)
    wrong = "it was built by another version of this program";
  else if (header->hash != header_hash(header) || !parts_fit(header))
    wrong = "its header is damaged";
  else if (header->size > size)
    wrong = "its size is not what its header says";
  else if (part_hash(header, PART_HOT) != header->parts[PART_HOT].hash ||
           part_hash(header, PART_WARM) != header->parts[PART_WARM].hash)
    wrong = "its content is damaged";
  *why = wrong;
  return !wrong;
}

bool def_pack_terms_good(const struct pack_terms *terms) {
  uint8_t *state = state_of(terms);
  uint8_t known = __atomic_load_n(state, __ATOMIC_RELAXED);
  if (known == PACK_UNCHECKED) {
    bool good = def_pack_checksum(rel_items(&terms->block), terms->block.count) == terms->hash;
    known = good ? PACK_GOOD : PACK_DAMAGED;
    __atomic_store_n(state, known, __ATOMIC_RELAXED);
  }
  return known == PACK_GOOD;
}

/* Every block lies in CODES: the sum over all of it says as much as theirs. */
bool def_pack_check_all(const struct pack_header *header) {
  for (unsigned i = PART_CODES; i < PART_COUNT; i++)
    if (part_hash(header, i) != header->parts[i].hash) return false;
  return true;
}
