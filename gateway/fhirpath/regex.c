/* regex.c - matches(), matchesFull(), replaceMatches() and case by PCRE2, with limits; constant patterns are
 * compiled once. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include "fhirpath/internal.h"

enum {
  MATCH_LIMIT = 1000000,
  DEPTH_LIMIT = 2000,
  HEAP_LIMIT_KB = 8192,
  TEXT_MAX = 1 << 20,
  MESSAGE_MAX = 128,
  NO_MEMORY_FOR_IT = -10000 /* no number of PCRE2 */
};

/* --- memory: all of it in an arena */

static void *take(size_t size, void *arena) {
  return arena_alloc((struct arena *)arena, size);
}

static void drop(void *memory, void *arena) {
  (void)memory, (void)arena;
}

static pcre2_general_context *memory_of(struct arena *arena) {
  return pcre2_general_context_create(take, drop, arena);
}

static pcre2_match_context *limits_of(pcre2_general_context *memory) {
  pcre2_match_context *limits = pcre2_match_context_create(memory);
  if (!limits) return NULL;
  pcre2_set_match_limit(limits, MATCH_LIMIT);
  pcre2_set_depth_limit(limits, DEPTH_LIMIT);
  pcre2_set_heap_limit(limits, HEAP_LIMIT_KB);
  return limits;
}

/* --- compiling */

/* Flags i (ignore case) and m (multi-line); false for others. */
static bool read_flags(struct str flags, uint32_t *options) {
  for (size_t i = 0; i < flags.len; i++) {
    if (flags.ptr[i] == 'i') {
      *options |= PCRE2_CASELESS;
    } else if (flags.ptr[i] == 'm') {
      *options |= PCRE2_MULTILINE;
    } else {
      return false;
    }
  }
  return true;
}

void *fp_regex_compile(struct arena *arena, struct str pattern, struct str flags, bool full,
                       const char **problem) {
  uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_DOTALL | PCRE2_NEVER_BACKSLASH_C;
  int error = 0;
  size_t at = 0;
  *problem = NULL;
  if (!read_flags(flags, &options)) {
    *problem = "flags are i and m";
    return NULL;
  }
  pcre2_general_context *memory = memory_of(arena);
  pcre2_compile_context *context = memory ? pcre2_compile_context_create(memory) : NULL;
  if (!context) return NULL;
  if (full) pcre2_set_compile_extra_options(context, PCRE2_EXTRA_MATCH_LINE);
  pcre2_code *code =
      pcre2_compile((PCRE2_SPTR)(pattern.ptr ? pattern.ptr : ""), pattern.len, options, &error, &at, context);
  char *message = code ? NULL : arena_zalloc(arena, MESSAGE_MAX);
  if (message && error != PCRE2_ERROR_NOMEMORY &&
      pcre2_get_error_message(error, (PCRE2_UCHAR *)message, MESSAGE_MAX) > 0)
    *problem = message;
  return code;
}

static bool is_full(const struct fp_ins *call) {
  return call->function && strcmp(call->function->name, "matchesFull") == 0;
}

static bool is_constant(const struct fp_ins *ins) {
  return ins->op == FP_OP_CONST && ins->literal.kind == FP_STRING;
}

/* Compiles the pattern of a call when it stands in the text. False: it is wrong. */
bool fp_regex_constant(struct arena *arena, struct fp_ins *call, bool simple, const char **problem) {
  fp_call *run = call->function->run;
  if (run != fp_fn_matches && run != fp_fn_matches_full && run != fp_fn_replace_matches) return true;
  size_t flags_at = run == fp_fn_replace_matches ? 2 : 1;
  struct str flags = {0};
  if (!is_constant(call->arguments[0])) return true;
  if (call->argument_count > flags_at) {
    if (!is_constant(call->arguments[flags_at])) return true;
    flags = call->arguments[flags_at]->literal.string;
  }
  struct str pattern = call->arguments[0]->literal.string;
  call->regex = fp_regex_compile(arena, pattern, flags, is_full(call), problem);
  if (!call->regex || !simple || flags.len || is_full(call)) return call->regex != NULL;
  return fp_dfa_compile(arena, pattern, &call->dfa);
}

/* The compiled pattern of a call: 1, 0 an argument is empty, -1 failed. */
static int pattern_of(struct fp_eval *e, const struct fp_ins *call, size_t flags_at,
                      const pcre2_code **code) {
  struct str pattern, flags = {0};
  const char *problem;
  *code = call->regex;
  if (*code) return 1;
  int has = fp_argument_string(e, call, 0, &pattern);
  if (has <= 0) return has;
  has = call->argument_count > flags_at ? fp_argument_string(e, call, flags_at, &flags) : 1;
  if (has < 0) return has;
  *code = fp_regex_compile(e->arena, pattern, has ? flags : (struct str){0}, is_full(call), &problem);
  if (*code) return 1;
  if (problem)
    fp_fail(e, call, DIAG_FHIRPATH_EVALUATION, "the regular expression is wrong: %s", problem);
  else
    fp_nomem(e);
  return -1;
}

/* --- matching */

static bool explain(struct fp_eval *e, const struct fp_ins *call, int error) {
  if (error == PCRE2_ERROR_NOMEMORY) return fp_nomem(e);
  return fp_fail(e, call, DIAG_FHIRPATH_LIMIT,
                 "the regular expression takes too many steps on this text (%d)", error);
}

/* What PCRE2 works in: 20 kB and more. */
struct matching {
  pcre2_match_data *data;
  pcre2_match_context *limits;
};
enum { PAIRS = 16 }; /* of a match and its groups */

static struct matching *new_matching(struct arena *arena) {
  pcre2_general_context *memory = memory_of(arena);
  struct matching *matching = memory ? ARENA_NEW(arena, struct matching) : NULL;
  if (!matching) return NULL;
  matching->data = pcre2_match_data_create(PAIRS, memory);
  matching->limits = limits_of(memory);
  return matching->data && matching->limits ? matching : NULL;
}

static struct matching *kept_matching(struct fp_eval *e) {
  void **kept = e->run->matching;
  if (!kept) return new_matching(e->arena);
  if (!*kept) *kept = new_matching(e->arena);
  return *kept;
}

/* Without somebody who keeps it, it is given back, wiped, before anything else is allocated. */
static void leave_matching(struct fp_eval *e, struct arena_mark mark) {
  if (!e->run->matching) arena_rewind(e->arena, mark);
}

/* PCRE2 sees it too, but only when all is made ready. Characters have one byte at least. */
static bool is_too_short(const pcre2_code *code, struct str text) {
  uint32_t characters = 0;
  return pcre2_pattern_info(code, PCRE2_INFO_MINLENGTH, &characters) == 0 && text.len < characters;
}

static int match(struct fp_eval *e, const pcre2_code *code, struct str text) {
  if (is_too_short(code, text)) return PCRE2_ERROR_NOMATCH;
  struct arena_mark mark = arena_mark(e->arena);
  struct matching *m = kept_matching(e);
  int found = PCRE2_ERROR_NOMEMORY;
  if (m) found = pcre2_match(code, (PCRE2_SPTR)(text.ptr ? text.ptr : ""), text.len, 0, 0, m->data, m->limits);
  leave_matching(e, mark);
  return found;
}

/* 1 it matches, 0 it does not, 2 something is empty, -1 failed. */
static int find_match(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in) {
  const pcre2_code *code;
  struct str text;
  bool has;
  if (!fp_input_string(e, call, in, &text, &has)) return -1;
  int given = pattern_of(e, call, 1, &code);
  if (given <= 0 || !has) return given >= 0 ? 2 : -1;
  int found = call->dfa ? fp_dfa_match(call->dfa, text) : -1;
  if (found >= 0) return found;
  found = match(e, code, text);
  if (found < 0 && found != PCRE2_ERROR_NOMATCH) return explain(e, call, found) ? 2 : -1;
  return found >= 0;
}

static bool run_match(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                      struct fp_list *out) {
  int found = find_match(e, call, in);
  return found == 2 || (found >= 0 && fp_push_boolean(e, out, found == 1));
}

void fp_fuse_matches(struct fp_ins *call) {
  call->op = FP_OP_MATCHES;
  call->exec = fp_op_exec(FP_OP_MATCHES);
  call->test = fp_op_test(FP_OP_MATCHES);
}

enum fp_truth fp_test_matches(struct fp_eval *e, const struct fp_ins *ins) {
  static const enum fp_truth truths[] = {FP_FALSE, FP_TRUE, FP_UNKNOWN};
  struct fp_mark mark = fp_mark(e);
  struct fp_list in;
  FP_UNINITIALIZED struct fp_item slot;
  if (!fp_collect_at(e, ins->input, &slot, &in, SIZE_MAX)) return FP_FAILED;
  if (in.count > 1) {
    fp_refuse_several(e, ins, in.count);
    return FP_FAILED;
  }
  int found = in.count ? find_match(e, ins, &in) : 2;
  fp_release(e, mark);
  return found < 0 ? FP_FAILED : truths[found];
}

bool fp_fn_matches(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                   struct fp_list *out) {
  return run_match(e, call, in, out);
}

bool fp_fn_matches_full(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                        struct fp_list *out) {
  return run_match(e, call, in, out);
}

/* --- replacing */

static bool has_room(const pcre2_code *code) {
  uint32_t groups = 0;
  return pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &groups) == 0 && groups < PAIRS;
}

/* Into `result`, whose room is *len. A pattern with very many groups gets its own data from PCRE2. */
static int replace(struct fp_eval *e, const pcre2_code *code, struct str text, struct str by, uint32_t options,
                   char *result, size_t *len) {
  struct arena_mark mark = arena_mark(e->arena);
  struct matching *m = kept_matching(e);
  int count = NO_MEMORY_FOR_IT;
  if (m)
    count = pcre2_substitute(code, (PCRE2_SPTR)(text.ptr ? text.ptr : ""), text.len, 0, options,
                             has_room(code) ? m->data : NULL, m->limits, (PCRE2_SPTR)(by.ptr ? by.ptr : ""), by.len,
                             (PCRE2_UCHAR *)result, len);
  leave_matching(e, mark);
  return count;
}

static bool refuse(struct fp_eval *e, const struct fp_ins *call, int error) {
  if (error == NO_MEMORY_FOR_IT) return fp_nomem(e);
  if (error == PCRE2_ERROR_MATCHLIMIT || error == PCRE2_ERROR_DEPTHLIMIT || error == PCRE2_ERROR_HEAPLIMIT)
    return explain(e, call, error);
  return fp_fail(e, call, DIAG_FHIRPATH_EVALUATION, "the substitution is wrong (%d)", error);
}

/* PCRE2_ERROR_NOMEMORY says that the result needs more room, and how much. */
static bool substitute(struct fp_eval *e, const struct fp_ins *call, const pcre2_code *code, struct str text,
                       struct str by, uint32_t options, struct str *out) {
  size_t room = text.len * 2 + by.len + 64;
  options |= PCRE2_SUBSTITUTE_GLOBAL | PCRE2_SUBSTITUTE_OVERFLOW_LENGTH | PCRE2_SUBSTITUTE_UNSET_EMPTY;
  for (int attempt = 0; attempt < 2; attempt++) {
    char *result = room <= TEXT_MAX ? arena_alloc(e->arena, room) : NULL;
    if (!result) return room <= TEXT_MAX ? fp_nomem(e) : fp_limit(e);
    size_t len = room;
    int count = replace(e, code, text, by, options, result, &len);
    if (count >= 0) {
      arena_shrink(e->arena, result, room, len + 1);
      *out = str_make(result, len);
      return true;
    }
    if (count != PCRE2_ERROR_NOMEMORY) return refuse(e, call, count);
    room = len + 1;
  }
  return fp_nomem(e);
}

bool fp_fn_replace_matches(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                           struct fp_list *out) {
  const pcre2_code *code;
  struct str text, by, pattern, result;
  bool has;
  if (!fp_input_string(e, call, in, &text, &has)) return false;
  int given = fp_argument_string(e, call, 0, &pattern);
  if (given <= 0) return given == 0;
  given = fp_argument_string(e, call, 1, &by);
  if (given <= 0 || !has) return given >= 0;
  if (pattern.len == 0) return fp_push_string(e, out, text);
  if (call->dfa && fp_dfa_match(call->dfa, text) == 0) return fp_push_string(e, out, text);
  if (pattern_of(e, call, 2, &code) < 0) return false;
  return substitute(e, call, code, text, by, 0, &result) && fp_push_string(e, out, result);
}

/* --- case */

static bool is_ascii(struct str text) {
  for (size_t i = 0; i < text.len; i++) {
    if ((unsigned char)text.ptr[i] >= 0x80) return false;
  }
  return true;
}

bool fp_change_case(struct fp_eval *e, const struct fp_ins *ins, struct str text, bool upper,
                    struct str *out) {
  const char *problem;
  if (!is_ascii(text)) {
    void *code = fp_regex_compile(e->arena, STR(".+"), (struct str){0}, false, &problem);
    if (!code) return fp_nomem(e);
    return substitute(e, ins, code, text, upper ? STR("\\U$0") : STR("\\L$0"), PCRE2_SUBSTITUTE_EXTENDED,
                      out);
  }
  char *copy = arena_alloc(e->arena, text.len + 1);
  if (!copy) return fp_nomem(e);
  for (size_t i = 0; i < text.len; i++) {
    char c = text.ptr[i];
    if (upper && c >= 'a' && c <= 'z') c = (char)(c - 32);
    if (!upper && c >= 'A' && c <= 'Z') c = (char)(c + 32);
    copy[i] = c;
  }
  *out = str_make(copy, text.len);
  return true;
}
