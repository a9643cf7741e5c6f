/* The narrative's rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include "validation/internal.h"

#define DIV "<div xmlns=\"http://www.w3.org/1999/xhtml\">"

static const struct {
  const char *text;
  bool good;
} rows[] = {
    {DIV "a</div>", true},
    {DIV "</div>", true},
    {"  " DIV "a</div>\n", true},
    {"<div xmlns='http://www.w3.org/1999/xhtml'/>", true},
    {DIV "<p class=\"x\">a &lt; b &amp; c &#160; &nbsp;</p><br/></div>", true},
    {DIV "<!-- a comment --><table><tbody><tr><td colspan=\"2\">a</td></tr></tbody></table></div>", true},
    {DIV "<a href=\"https://example.org\">x</a><img src=\"#p1\" alt=\"y\"/></div>", true},
    {"", false},
    {"plain text", false},
    {"<div>no namespace</div>", false},
    {"<div xmlns=\"http://www.w3.org/1999/html\">a</div>", false},
    {"<p>no div</p>", false},
    {DIV "a", false},
    {DIV "<b>a</div>", false},
    {DIV "<b>a</i></div>", false},
    {DIV "a</div>b", false},
    {DIV "a</div></div>", false},
    {DIV "a & b</div>", false},
    {DIV "a < b</div>", false},
    {DIV "<p class=x>a</p></div>", false},
    {DIV "<p class>a</p></div>", false},
    {DIV "<p class=\"a\"id=\"b\">a</p></div>", false},
    {DIV "<p class=\"a>b</p></div>", false},
    {DIV "<script>alert(1)</script></div>", false},
    {DIV "<p onclick=\"x()\">a</p></div>", false},
    {DIV "<a href=\"javascript:x()\">a</a></div>", false},
    {DIV "<iframe/></div>", false},
    {DIV "<form/></div>", false},
    {DIV "<!-- open</div>", false},
    {DIV "<p", false},
    {DIV "</", false},
    {DIV "&", false},
    {"<div", false},
    {"<divx xmlns=\"http://www.w3.org/1999/xhtml\"></divx>", false},
};

static void test_rows(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    const char *why = NULL;
    bool good = validation_xhtml(str_of(rows[i].text), &why);
    if (good != rows[i].good) fail_msg("%s: %s", rows[i].text, why ? why : "accepted");
    assert_true(good == (why == NULL));
  }
}

/* As deep as is allowed, and one deeper. */
static void test_depth(void **state) {
  (void)state;
  for (size_t depth = 63; depth <= 64; depth++) {
    struct buf text;
    buf_init(&text, 1 << 16);
    buf_add_text(&text, DIV);
    for (size_t i = 0; i < depth; i++)
      buf_add_text(&text, "<b>");
    for (size_t i = 0; i < depth; i++)
      buf_add_text(&text, "</b>");
    buf_add_text(&text, "</div>");
    assert_int_equal(validation_xhtml(buf_str(&text), NULL), depth == 63);
    buf_release(&text);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_depth)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
