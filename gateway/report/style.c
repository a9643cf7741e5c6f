/* style.c - how the page looks: screen wide and narrow, light and dark, paper. */
#include "report/internal.h"

const char report_style[] =
    ":root{--ink:#1b1f24;--soft:#57606a;--line:#d0d7de;--page:#fff;--band:#f6f8fa;--alert:#a3260b}\n"
    "@media (prefers-color-scheme:dark){:root{--ink:#e6e9ed;--soft:#a3adb8;--line:#3b434c;--page:#14181d;"
    "--band:#1d232a;--alert:#ff9d80}}\n"
    "body{margin:0 auto;max-width:68rem;padding:1.5rem;background:var(--page);color:var(--ink);"
    "font:0.95rem/1.45 system-ui,sans-serif}\n"
    "h1{font-size:1.5rem;line-height:1.25;margin:0 0 .25rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}\n"
    "table{border-collapse:collapse;width:100%;font-size:.875rem}caption{text-align:left;color:var(--soft);padding:.25rem 0}\n"
    "th,td{border-bottom:1px solid var(--line);padding:.3rem .5rem;text-align:left;vertical-align:top;font-weight:normal}\n"
    "thead th{background:var(--band);font-weight:600;vertical-align:bottom}\n"
    ".number{text-align:right}.number,.time{white-space:nowrap;font-variant-numeric:tabular-nums}\n"
    ".unit,.absent,.none{color:var(--soft)}.unit{font-weight:normal}.absent{font-style:italic}\n"
    ".scroll{overflow-x:auto;margin:0 0 1rem}td bdi{white-space:pre-wrap;overflow-wrap:anywhere}\n"
    ".fields{display:grid;grid-template-columns:repeat(auto-fill,minmax(13rem,1fr));gap:.5rem 1.5rem;margin:.5rem 0 1rem}\n"
    ".fields dt{color:var(--soft);font-size:.8rem}.fields dd{margin:0;overflow-wrap:anywhere}\n"
    "@media print{body{max-width:none;padding:0;font-size:9pt}.scroll{overflow:visible}"
    "thead{display:table-header-group}tr{break-inside:avoid}h2,caption{break-after:avoid}}\n";
