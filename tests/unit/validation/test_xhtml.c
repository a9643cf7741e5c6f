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
    {"  " DIV "a</div>\n", true},
    {"<div xmlns='http://www.w3.org/1999/xhtml'>a</div>", true},
    {DIV "<p class=\"x\">a &lt; b &amp; c &#160; &#xA0;</p><br/></div>", true},
    {DIV "<!-- a comment --><table><tbody><tr><td colspan=\"2\">a</td></tr></tbody></table></div>", true},
    {DIV "<a href=\"https://example.org\">x</a><img src=\"#p1\" alt=\"y\"/></div>", true},
    {DIV "<img src=\"#p1\"/></div>", true},
    {DIV "<ul><li>a<ul><li>b</li></ul></li></ul><dl><dt>a</dt><dd><p>b</p></dd></dl></div>", true},
    {DIV "<p>a</p><p>b <a href=\"#\">c</a> <a href=\"#\">d</a></p><div>e</div></div>", true},
    {DIV "<table border=\"1\"><thead><tr><th>a</th></tr></thead></table></div>", true},
    {"", false},
    {DIV "</div>", false},
    {DIV " \n<p> </p><br/><!-- a --></div>", false},
    {"<div xmlns='http://www.w3.org/1999/xhtml'/>", false},
    {DIV "<p border=\"1\">a</p></div>", false},
    {DIV "<p wrong=\"1\">a</p></div>", false},
    {DIV "<a target=\"x\">a</a></div>", false},
    {DIV "a&nbsp;b</div>", false},
    {DIV "&#xZZ;</div>", false},
    {DIV "&#;</div>", false},
    {DIV "<p>a<p>b</p></p></div>", false},
    {DIV "<p>a<b><ul><li>b</li></ul></b></p></div>", false},
    {DIV "<a href=\"#\">a<b><a href=\"#\">b</a></b></a></div>", false},
    {DIV "<li>a</li></div>", false},
    {DIV "<td>a</td></div>", false},
    {DIV "<ul><tr><td>a</td></tr></ul></div>", false},
    {DIV "<font>a</font></div>", false},
    {DIV "<del>a</del></div>", false},
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
    buf_add_text(&text, "a");
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
