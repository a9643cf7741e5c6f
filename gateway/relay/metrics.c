/* metrics.c - the numbers of the relay itself in Prometheus' text format. Labels are names of the configuration. */
#include <sys/stat.h>
#include "relay/internal.h"

void relay_metric_head(struct buf *out, const char *name, const char *type, const char *help) {
  buf_printf(out, "# HELP ketlink_%s %s\n# TYPE ketlink_%s %s\n", name, help, name, type);
}

/* By the time of its file: of an earlier process too. */
static void add_backup(const struct relay *relay, struct buf *out) {
  struct stat info;
  if (!relay->config->backup.len) return;
  relay_metric_head(out, "backup_age_seconds", "gauge", "Age of the last copy of the store; +Inf: there is none.");
  buf_add_text(out, "ketlink_backup_age_seconds ");
  if (stat(relay->config->backup.ptr, &info) == 0) {
    int64_t age = relay_now(relay) / 1000 - info.st_mtim.tv_sec;
    buf_printf(out, "%lld\n", age > 0 ? (long long)age : 0);
  } else {
    buf_add_text(out, "+Inf\n");
  }
}

void relay_metrics(const struct relay *relay, struct buf *out) {
  add_backup(relay, out);
  relay_senders_metrics(relay, out);
  relay_listeners_metrics(relay, out);
}
