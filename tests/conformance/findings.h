/* findings.h - what the runners of validator suites print of a case that differs. */
#ifndef KETLINK_TESTS_CONFORMANCE_FINDINGS_H
#define KETLINK_TESTS_CONFORMANCE_FINDINGS_H

#include <stdio.h>
#include "base/base.h"

static inline void show_findings(const struct diag_list *diags, enum diag_severity least) {
  struct buf line;
  buf_init(&line, LIMIT_TEXT_BYTES);
  for (const struct diag *d = diags->first; d; d = d->next) {
    if (d->severity < least) continue;
    buf_reset(&line);
    diag_render_text(d, &line);
    printf("    %.*s\n", STR_ARG(buf_str(&line)));
  }
  buf_release(&line);
}

#endif
