/* test_mutants.c - definitions and packages spoilt at random places: findings or a status, never a crash. The
 * random numbers are the same on each run. */
#include "definitions/build.h"
#include "small.h"

enum { ROUNDS = 600 };

struct random {
  uint64_t state;
};

static size_t below(struct random *random, size_t limit) {
  random->state = random->state * 6364136223846793005u + 1442695040888963407u;
  return (size_t)(random->state >> 33) % limit;
}

static struct str read_text(struct small *small, const char *file) {
  struct str path = arena_printf(small->arena, DATA "/small/%s", file), text;
  const struct host *host = host_system();
  assert_int_equal(host->read_file(host->context, path.ptr, 1 << 20, small->arena, &text), STATUS_OK);
  return text;
}

/* Swaps the texts of two values, or breaks one: the JSON stays good, what it says does not. */
static void spoil(struct tree_node *const *nodes, size_t count, struct random *random) {
  struct tree_node *a = nodes[below(random, count)], *b = nodes[below(random, count)];
  struct str text = a->text;
  switch (below(random, 5)) {
  case 0:
    a->text = b->text;
    b->text = text;
    break;
  case 1:
    a->text = (struct str){0};
    break;
  case 2:
    a->text = str_slice(text, 0, below(random, text.len + 1));
    break;
  case 3:
    a->name = b->name;
    break;
  default:
    if (a->parent) tree_remove(a);
  }
}

static size_t collect(struct tree_node *node, struct tree_node **out, size_t room) {
  size_t count = 0;
  for (struct tree_node *at = node->child; at && count < room; at = at->next) {
    out[count++] = at;
    count += collect(at, out + count, room - count);
  }
  return count;
}

static void one_round(struct small *small, struct str text, struct definitions *under,
                      struct random *random) {
  static struct tree_node *nodes[8192];
  struct arena *arena = arena_new(16 << 20), *other = arena_new(16 << 20);
  struct source source = source_make(STR("m.json"), text);
  struct diag_list diags;
  struct tree_node *root = NULL;
  struct builder b;
  diag_list_init(&diags, other);
  assert_int_equal(tree_read_json(&source, NULL, arena, &diags, &root), STATUS_OK);
  size_t count = collect(root, nodes, 8192);
  for (size_t i = below(random, 6) + 1; i > 0; i--)
    spoil(nodes, count, random);
  assert_int_equal(def_builder_init(&b, under, &diags), STATUS_OK);
  (void)def_builder_add(&b, root, &source);
  if (def_builder_finish(&b) == STATUS_OK) {
    struct buf image;
    struct definitions *opened = NULL;
    buf_init(&image, 1 << 26);
    assert_true(buf_reserve(&image, def_image_size(&b.image)));
    if (!under) { /* an overlay only works where it was made */
      def_image_finish(&b.image, image.ptr, image.ptr, PACK_UNCHECKED);
      image.len = b.image.header.size;
      assert_int_equal(definitions_open_image(buf_str(&image), &diags, &opened), STATUS_OK);
      assert_true(definitions_verify(opened));
    }
    definitions_close(opened);
    buf_release(&image);
  }
  def_builder_release(&b);
  arena_free(arena);
  arena_free(other);
  (void)small;
}

static void test_definitions(void **state) {
  static const char *const files[] = {"resources.json", "terms.json", "types.json"};
  struct small *small = *state;
  struct random random = {42};
  for (size_t f = 0; f < 3; f++) {
    struct str text = read_text(small, files[f]);
    for (int i = 0; i < ROUNDS; i++)
      one_round(small, text, i % 2 ? small->definitions : NULL, &random);
  }
}

/* Binding a resource of which anything may be missing or misnamed. */
static void test_binding(void **state) {
  struct small *small = *state;
  struct random random = {7};
  struct str text = read_text(small, "resources.json");
  for (int i = 0; i < ROUNDS; i++) {
    static struct tree_node *nodes[8192];
    struct arena *arena = arena_new(16 << 20);
    struct source source = source_make(STR("m.json"), text);
    struct diag_list diags;
    struct tree_node *root = NULL;
    diag_list_init(&diags, arena);
    assert_int_equal(tree_read_json(&source, NULL, arena, &diags, &root), STATUS_OK);
    size_t count = collect(root, nodes, 8192);
    for (size_t k = below(&random, 40) + 1; k > 0; k--) {
      struct tree_node *node = nodes[below(&random, count)];
      static const char *const names[] = {"_status", "status",       "alias",    "_alias",
                                          "part",    "resourceType", "contained"};
      node->name = str_of(names[below(&random, 7)]);
    }
    enum status status = definitions_bind(small->definitions, NULL, root, &source, arena, &diags);
    assert_int_equal(status, diags.count ? STATUS_INVALID : STATUS_OK);
    arena_free(arena);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_definitions),
      cmocka_unit_test(test_binding),
  };
  return cmocka_run_group_tests(tests, small_open, small_close);
}
