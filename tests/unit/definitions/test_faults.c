/* test_faults.c - memory fails at each allocation in turn while an overlay is made: a status, never half an
 * overlay. */
#include "definitions/build.h"
#include "small.h"

static struct tree_node *read_small(struct small *small, const char *file) {
  struct str path = arena_printf(small->arena, DATA "/small/%s", file), text;
  struct source *source = ARENA_NEW(small->arena, struct source);
  struct tree_node *root = NULL;
  const struct host *host = host_system();
  assert_int_equal(host->read_file(host->context, path.ptr, 1 << 20, small->arena, &text), STATUS_OK);
  *source = source_make(path, text);
  assert_int_equal(tree_read_json(source, NULL, small->arena, &small->diags, &root), STATUS_OK);
  return root;
}

struct job {
  struct small *small;
  struct definitions *below; /* NULL: a pack of its own */
  struct tree_node *roots[3];
  size_t count;
  struct buf whole, now; /* the image when nothing fails, and this time's */
};

/* Memory fails at allocation n. What is built all the same must be whole. */
static enum status build(struct job *job, unsigned long n, struct buf *image) {
  struct builder b;
  buf_reset(image);
  assert_int_equal(def_builder_init(&b, job->below, &job->small->diags), STATUS_OK);
  arena_fail_at(b.arena, n);
  for (size_t i = 0; i < job->count; i++)
    (void)def_builder_add(&b, job->roots[i], NULL);
  enum status status = b.error ? b.error : def_builder_finish(&b);
  if (!status) {
    size_t size = def_image_size(&b.image);
    assert_true(buf_reserve(image, size));
    image->len = size;
    /* at the same address each time: an overlay points out of itself */
    struct buf *place = &job->now;
    buf_reset(place);
    assert_true(buf_reserve(place, size));
    def_image_finish(&b.image, place->ptr, place->ptr, PACK_UNCHECKED);
    memcpy(image->ptr, place->ptr, size);
  }
  def_builder_release(&b);
  return status;
}

static void fail_everywhere(struct job *job) {
  struct buf image;
  enum status status = STATUS_NOMEM;
  unsigned long n = 1;
  buf_init(&image, 1 << 26);
  buf_init(&job->whole, 1 << 26);
  buf_init(&job->now, 1 << 26);
  assert_true(buf_reserve(&job->now, 1 << 22));
  assert_int_equal(build(job, 0, &job->whole), STATUS_OK);
  for (; status && n < 200000; n += n < 2000 ? 1 : 7) {
    status = build(job, n, &image);
    if (status) assert_int_equal(status, STATUS_NOMEM);
  }
  if (image.len != job->whole.len) print_message("not whole after failure %lu\n", n - 1);
  assert_int_equal(image.len, job->whole.len);
  assert_memory_equal(image.ptr, job->whole.ptr, image.len);
  assert_true(n > 1000);
  buf_release(&image);
  buf_release(&job->whole);
  buf_release(&job->now);
}

static void test_pack(void **state) {
  struct small *small = *state;
  fail_everywhere(
      &(struct job){.small = small,
                    .roots = {read_small(small, "types.json"), read_small(small, "resources.json"),
                              read_small(small, "terms.json")},
                    .count = 3});
}

static void test_overlay(void **state) {
  struct small *small = *state;
  fail_everywhere(
      &(struct job){.small = small,
                    .below = small->definitions,
                    .roots = {read_small(small, "resources.json"), read_small(small, "terms.json")},
                    .count = 2});
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_pack, small_open, small_close),
      cmocka_unit_test_setup_teardown(test_overlay, small_open, small_close),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
