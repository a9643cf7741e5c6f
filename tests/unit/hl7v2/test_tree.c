/* test_tree.c - messages as trees, and back to text; the models. Needs the definition pack. */
#include "messages.h"

static struct definitions *definitions;

static struct tree_node *read_tree(struct bench *b, const char *text) {
  struct tree_node *root = NULL;
  assert_int_equal(bench_scan(b, str_of(text), NULL), STATUS_OK);
  assert_int_equal(hl7v2_tree(&b->message, definitions, b->arena, &b->diags, &root), STATUS_OK);
  return root;
}

static void print(const struct tree_node *node, struct buf *out) {
  buf_add_str(out, node->name);
  if (node->flags & TREE_IN_ARRAY) buf_add_char(out, '*');
  if (node->flags & TREE_META) buf_add_char(out, '-');
  if (node->text.len) buf_printf(out, "=%.*s", STR_ARG(node->text));
  if (!node->child) return;
  buf_add_char(out, '(');
  for (const struct tree_node *at = node->child; at; at = at->next) {
    if (at != node->child) buf_add_char(out, ' ');
    print(at, out);
  }
  buf_add_char(out, ')');
}

static void expect_tree(const char *text, const char *wanted) {
  struct bench b;
  struct buf out, again;
  bench_open(&b);
  buf_init(&out, 1 << 16);
  buf_init(&again, 1 << 16);
  struct tree_node *root = read_tree(&b, text);
  print(root, &out);
  if (!str_is(buf_str(&out), wanted)) fail_msg("%s\n   is %.*s\nwanted %s", text, STR_ARG(buf_str(&out)), wanted);
  hl7v2_write(root, &b.message, &again);
  assert_int_equal(again.error, STATUS_OK);
  assert_str(buf_str(&again), str_of(text));
  buf_release(&again);
  buf_release(&out);
  bench_close(&b);
}

#define ADT "MSH|^~\\&|||||||ADT^A01^ADT_A01\r"
#define ADT_TREE "MSH(MSH_1=| MSH_2=^~\\& MSH_9(MSG_1=ADT MSG_2=A01 MSG_3=ADT_A01)) "

static void test_fields(void **state) {
  static const struct {
    const char *text, *tree;
  } rows[] = {
      {"PID|7", "PID(PID_1=7)"},
      {"PID|", "PID(PID_1-)"},
      {"PID", "PID"},
      {"PID||", "PID(PID_2-)"},
      {"PID|||1^^^A&1.2~2", "PID(PID_3*(CX_1=1 CX_4(HD_1=A HD_2=1.2)) PID_3*(CX_1=2))"},
      {"PID|||~2~", "PID(PID_3*- PID_3*(CX_1=2) PID_3*-)"},
      {"PID|||\"\"|", "PID(PID_3*-=\"\" PID_4*-)"},
      {"PID|||1^\"\"^", "PID(PID_3*(CX_1=1 CX_2-=\"\" CX_3-))"},
      {"PID|||^^", "PID(PID_3*(CX_3-))"},
      {"PID|||&", "PID(PID_3*(CX_1(CX_1_2-)))"},
      {"PID|||a&b", "PID(PID_3*(CX_1=a(CX_1_2=b)))"},
      {"PID|||1^^^^^^^^^^^^13&x", "PID(PID_3*(CX_1=1 CX_13=13(CX_13_2=x)))"},
      {"PID|||||O'N^J", "PID(PID_5*(XPN_1(FN_1=O'N) XPN_2=J))"},
      {"PID|||||\\F\\\\H\\", "PID(PID_5*(XPN_1(FN_1=|)))"},
      {"PID|||||\\F\\\\Zx\\", "PID(PID_5*(XPN_1(FN_1=|\\Zx\\)))"},
      {"PID|||||\\H\\\\N\\", "PID(PID_5*(XPN_1(FN_1=\\H\\\\N\\)))"},
      {"PID|||||\\M2442\\;3ED\\C2842\\", "PID(PID_5*(XPN_1(FN_1=\xE5\xB1\xB1\xE7\x94\xB0)))"},
      {"PID|||||||2000^M", "PID(PID_7=2000(PID_7_2=M))"},
      {"PID|||||||a&b^c&d&e^", "PID(PID_7=a(PID_7_1_2=b PID_7_2=c(PID_7_2_2=d PID_7_2_3=e) PID_7_3-))"},
      {"PID|||||||^x", "PID(PID_7(PID_7_2=x))"},
      {"PID|||||||1~2", "PID(PID_7*=1 PID_7*=2)"},
      {"ZPI|1|a^b&c~d|&", "ZPI*(ZPI_1=1 ZPI_2*=a(ZPI_2_2=b(ZPI_2_2_2=c)) ZPI_2*=d ZPI_3(ZPI_3_1_2-))"},
      {"ACK|1|a^b", "ACK*(ACK_1=1 ACK_2=a(ACK_2_2=b))"},
      {"OBX|1|NM|||5^6", "OBX*(OBX_1=1 OBX_2=NM OBX_5*=5(OBX_5_2=6))"},
      {"OBX|1|CE|||5^6", "OBX*(OBX_1=1 OBX_2=CE OBX_5*(CWE_1=5 CWE_2=6))"},
      {"OBX|1|SN|||>^6~<^7", "OBX*(OBX_1=1 OBX_2=SN OBX_5*(SN_1=> SN_2=6) OBX_5*(SN_1=< SN_2=7))"},
      {"OBX|1|Q7|||5&", "OBX*(OBX_1=1 OBX_2=Q7 OBX_5*=5(OBX_5_1_2-))"},
  };
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    char text[256], tree[512];
    snprintf(text, sizeof text, ADT "%s\r", rows[i].text);
    snprintf(tree, sizeof tree, "(" ADT_TREE "%s)", rows[i].tree);
    expect_tree(text, tree);
  }
}

/* Segments by the first letters of their names, groups in brackets. */
static void shape(const struct tree_node *node, struct buf *out) {
  for (const struct tree_node *at = node->child; at; at = at->next) {
    buf_add_str(out, at->name);
    if (at->name.len > 3) {
      buf_add_char(out, '(');
      shape(at, out);
      buf_add_char(out, ')');
    }
    if (at->next) buf_add_char(out, ' ');
  }
}

static void test_groups(void **state) {
  static const struct {
    const char *structure, *segments, *shape;
    size_t told;
  } rows[] = {
      {"ADT^A01^ADT_A01", "EVN PID PD1 NK1 NK1 PV1 OBX AL1 AL1 DG1", "MSH EVN PID PD1 NK1 NK1 PV1 OBX AL1 AL1 DG1", 0},
      {"ADT^A08", "EVN PID PV1 PR1 ROL PR1 GT1 IN1 IN2 IN1", "MSH EVN PID PV1 PROCEDURE(PR1 ROL) PROCEDURE(PR1) GT1 INSURANCE(IN1 IN2) INSURANCE(IN1)", 0},
      {"ADT^A40^ADT_A39", "EVN PID PD1 MRG PV1 PID MRG", "MSH EVN PATIENT(PID PD1 MRG PV1) PATIENT(PID MRG)", 0},
      {"ORU^R01^ORU_R01", "PID PV1 ORC OBR NTE OBX NTE OBX OBR OBX SPM OBX",
       "MSH PATIENT_RESULT(PATIENT(PID VISIT(PV1)) ORDER_OBSERVATION(COMMON_ORDER(ORC) OBR NTE OBSERVATION(OBX NTE) OBSERVATION(OBX)) "
       "ORDER_OBSERVATION(OBR OBSERVATION(OBX) SPECIMEN(SPM SPECIMEN_OBSERVATION(OBX))))", 0},
      {"ORU^R01^ORU_R01", "OBR OBX PID OBR OBX", "MSH PATIENT_RESULT(ORDER_OBSERVATION(OBR OBSERVATION(OBX))) PATIENT_RESULT(PATIENT(PID) ORDER_OBSERVATION(OBR OBSERVATION(OBX)))", 0},
      {"RAS^O17^RAS_O17", "PID PV1 ORC RXO NTE RXR RXA RXR OBX RXA RXR ORC RXA",
       "MSH PATIENT(PID PATIENT_VISIT(PV1)) ORDER(ORC ORDER_DETAIL(RXO ORDER_DETAIL_SUPPLEMENT(NTE RXR)) ADMINISTRATION(RXA RXR OBSERVATION(OBX)) "
       "ADMINISTRATION(RXA RXR)) ORDER(ORC ADMINISTRATION(RXA))", 0},
      {"RAS^O17", "PID ORC RXO RXR RXA RXA", "MSH PATIENT(PID) ORDER(ORC ORDER_DETAIL(RXO ORDER_DETAIL_SUPPLEMENT(RXR)) ADMINISTRATION(RXA RXA))", 0},
      {"SIU^S13", "SCH PID PV1 RGS AIS NTE AIP AIL AIS", "MSH SCH PATIENT(PID PV1) RESOURCES(RGS SERVICE(AIS NTE) SERVICE(AIS) LOCATION_RESOURCE(AIL) PERSONNEL_RESOURCE(AIP))", 2},
      {"MDM^T02^MDM_T02", "EVN PID PV1 ORC OBR TXA OBX OBX", "MSH EVN PID PV1 COMMON_ORDER(ORC OBR) TXA OBSERVATION(OBX) OBSERVATION(OBX)", 0},
      {"ADT^A01^ADT_A01", "PV1 PID EVN ZAA ZBB ZAA AL1", "MSH EVN PID PV1 ZAA ZAA ZBB AL1", 2},
      {"ADT^A01^ADT_A01", "ZAA PID OBX ZBB OBX ZBB AL1", "MSH ZAA PID OBX OBX ZBB ZBB AL1", 0},
      {"ADT^A01^ADT_A01", "PID PV1 RXA RXA", "MSH PID PV1 RXA RXA", 2},
      {"ADT^A01^ADT_A01", "PID IN1 PV1 IN2", "MSH PID PV1 INSURANCE(IN1 IN2)", 1},
      {"ORU^R01^ORU_R01", "PID OBR OBX PV1 ZAA", "MSH PATIENT_RESULT(PATIENT(PID VISIT(PV1)) ORDER_OBSERVATION(OBR OBSERVATION(OBX ZAA)))", 1},
      {"VXU^V04^VXU_V04", "PID ORC RXA OBX ORC RXA", "MSH PID OBX ORC ORC RXA RXA", 0},
      {"ACK^A01", "MSA ERR", "MSH MSA ERR", 0},
  };
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct bench b;
    struct buf text, out, again;
    buf_init(&text, 4096);
    buf_init(&out, 4096);
    buf_init(&again, 4096);
    buf_printf(&text, "MSH|^~\\&|||||||%s\r", rows[i].structure);
    for (const char *at = rows[i].segments; *at; at += at[3] ? 4 : 3)
      buf_printf(&text, "%.3s|\r", at);
    buf_add_char(&text, 0);
    bench_open(&b);
    struct tree_node *root = read_tree(&b, text.ptr);
    shape(root, &out);
    if (!str_is(buf_str(&out), rows[i].shape)) fail_msg("%s\n   is %.*s\nwanted %s", rows[i].segments, STR_ARG(buf_str(&out)), rows[i].shape);
    if (strncmp(rows[i].structure, "VXU", 3) != 0 && strncmp(rows[i].structure, "SIU", 3) != 0) assert_int_equal(b.diags.count, rows[i].told);
    hl7v2_write(root, &b.message, &again);
    assert_str(buf_str(&again), str_make(text.ptr, text.len - 1));
    bench_close(&b);
    buf_release(&again);
    buf_release(&out);
    buf_release(&text);
  }
}

/* Siblings of one name stand together, and are bound as the models say. */
static void test_bound(void **state) {
  struct bench b;
  (void)state;
  bench_open(&b);
  struct tree_node *root = read_tree(&b, ADT "PID|||1^^^A||X^Y\rZPI|1\r");
  assert_str(def_type_name(node_type(root)), STR("V2_ADT_A01"));
  struct tree_node *pid = tree_find(root, "PID"), *id = tree_find(pid, "PID_3"), *hd = tree_find(tree_find(id, "CX_4"), "HD_1");
  assert_str(def_type_name(node_type(pid)), STR("V2_PID"));
  assert_str(def_type_name(node_type(id)), STR("V2_CX"));
  assert_str(def_type_name(node_type(hd)), STR("string"));
  assert_str(def_element_name(node_element(hd)), STR("HD_1"));
  assert_int_equal(hd->symbol, definitions_symbol(definitions, STR("HD_1")));
  assert_int_equal(tree_offset(hd), strlen(ADT) + strlen("PID|||1^^^"));
  assert_null(node_type(tree_find(root, "ZPI")));
  bench_close(&b);
}

/* Field N is the N-th element of its segment: tree.c counts on it. */
static void test_models(void **state) {
  size_t models = 0;
  (void)state;
  for (size_t i = 0; i < definitions_type_count(definitions); i++) {
    const struct def_type *type = definitions_type_at(definitions, i);
    struct str name = def_type_name(type);
    if (!str_starts(name, STR("V2_")) || name.len > 6 || str_is(name, "V2_ACK")) continue;
    models++;
    size_t number = 0;
    for (size_t k = 0; k < def_type_element_count(type); k++) {
      struct str element = def_element_name(def_type_element_at(type, k));
      char wanted[16];
      if (element.ptr[0] >= 'a') continue;
      snprintf(wanted, sizeof wanted, "%.*s_%zu", (int)name.len - 3, name.ptr + 3, ++number);
      assert_str(element, str_of(wanted));
    }
    assert_true(number > 0);
  }
  assert_true(models > 100);
}

/* --- writing --- */

static struct tree_node *add(struct bench *b, struct tree_node *parent, const char *name, const char *text) {
  struct tree_node *node = tree_new(b->arena, text ? TREE_STRING : TREE_OBJECT, str_of(name));
  assert_non_null(node);
  if (text) node->text = str_of(text);
  tree_append(parent, node);
  return node;
}

/* What is kept as it was written is told, with its place; what is understood is not. */
static void test_kept(void **state) {
  static const char text[] = "MSH|^~\\&|||||||ADT^A01\rPID|||||\\F\\\\H\\^\\Zx\\\rNK1|1|C:\\x\r";
  struct bench b;
  (void)state;
  bench_open(&b);
  (void)read_tree(&b, text);
  assert_int_equal(b.diags.count, 2);
  const struct diag *first = b.diags.first, *second = first->next;
  assert_true(first->code == DIAG_HL7V2_ESCAPE && first->severity == DIAG_WARNING && first->line == 2 && first->col == 16);
  assert_true(second->code == DIAG_HL7V2_ESCAPE && second->line == 3 && second->col == 7);
  bench_close(&b);
}

static void test_made(void **state) {
  struct bench b;
  struct buf out;
  (void)state;
  bench_open(&b);
  buf_init(&out, 4096);
  struct tree_node *root = tree_new(b.arena, TREE_OBJECT, (struct str){0});
  struct tree_node *msh = add(&b, root, "MSH", NULL), *group = add(&b, root, "PATIENT", NULL), *pid = add(&b, group, "PID", NULL);
  struct tree_node *type = add(&b, msh, "MSH_9", NULL);
  add(&b, type, "MSG_1", "ADT");
  add(&b, type, "MSG_3", "ADT_A01");
  struct tree_node *name = add(&b, pid, "PID_5", NULL);
  add(&b, name, "XPN_2", "J\n");
  add(&b, add(&b, name, "XPN_1", NULL), "FN_1", "a|b^c");
  add(&b, pid, "PID_1", "1");
  add(&b, add(&b, pid, "PID_5", NULL), "XPN_2", "K");
  hl7v2_write(root, NULL, &out);
  assert_int_equal(out.error, STATUS_OK);
  assert_str(buf_str(&out), STR("MSH|^~\\&|||||||ADT^^ADT_A01\rPID|1||||a\\F\\b\\S\\c^J\\.br\\~^K\r"));
  buf_release(&out);
  bench_close(&b);
}

/* A made tree with delimiters of its own; what cannot be written is said. */
static void test_made_delimiters(void **state) {
  struct bench b;
  struct buf out;
  (void)state;
  bench_open(&b);
  buf_init(&out, 4096);
  struct tree_node *root = tree_new(b.arena, TREE_OBJECT, (struct str){0});
  struct tree_node *msh = add(&b, root, "MSH", NULL), *pid = add(&b, root, "PID", NULL);
  add(&b, msh, "MSH_1", "$");
  struct tree_node *second = add(&b, msh, "MSH_2", "%~\\&");
  add(&b, pid, "PID_1", "a$|b");
  hl7v2_write(root, NULL, &out);
  assert_int_equal(out.error, STATUS_OK);
  assert_str(buf_str(&out), STR("MSH$%~\\&\rPID$a\\F\\|b\r"));
  buf_reset(&out);
  second->text = STR("%");
  hl7v2_write(root, NULL, &out);
  assert_int_equal(out.error, STATUS_INVALID);
  buf_release(&out);
  bench_close(&b);
}

/* A changed tree: what was read stays as it stood, what is new is escaped, in its place. */
static void test_changed(void **state) {
  struct bench b;
  struct buf out;
  (void)state;
  bench_open(&b);
  buf_init(&out, 4096);
  struct tree_node *root = read_tree(&b, ADT "PID|1|\\X41\\\\H\\x\n\nPV1|1\r\n");
  struct tree_node *pid = tree_find(root, "PID");
  tree_find(pid, "PID_1")->text = STR("2&");
  struct tree_node *pd1 = tree_new(b.arena, TREE_OBJECT, STR("PD1"));
  pd1->next = pid->next;
  pid->next = pd1;
  pd1->parent = root;
  add(&b, pd1, "PD1_1", "n");
  hl7v2_write(root, &b.message, &out);
  assert_int_equal(out.error, STATUS_OK);
  assert_str(buf_str(&out), STR(ADT "PID|2\\T\\|\\X41\\\\H\\x\nPD1|n\rPV1|1\r\n"));
  buf_release(&out);
  bench_close(&b);
}

/* --- properties --- */

static uint32_t next(uint32_t *seed) {
  *seed = *seed * 1664525 + 1013904223;
  return *seed >> 8;
}

static void round_trip(struct str text) {
  struct bench b;
  struct buf out, plain;
  struct tree_node *root, *again;
  bench_open(&b);
  buf_init(&out, LIMIT_HL7V2_LARGEST);
  buf_init(&plain, LIMIT_HL7V2_LARGEST);
  assert_int_equal(bench_scan(&b, text, &(struct hl7v2_limits){.bytes = SIZE_MAX}), STATUS_OK);
  assert_int_equal(hl7v2_tree(&b.message, definitions, b.arena, &b.diags, &root), STATUS_OK);
  hl7v2_write(root, &b.message, &out);
  assert_int_equal(out.error, STATUS_OK);
  assert_str(buf_str(&out), text);
  hl7v2_write(root, NULL, &plain);
  assert_int_equal(plain.error, STATUS_OK);
  assert_int_equal(bench_scan(&b, buf_str(&plain), &(struct hl7v2_limits){.bytes = SIZE_MAX}), STATUS_OK);
  assert_int_equal(hl7v2_tree(&b.message, definitions, b.arena, &b.diags, &again), STATUS_OK);
  assert_true(tree_equal(root, again));
  buf_release(&plain);
  buf_release(&out);
  bench_close(&b);
}

/* Any delimiters, line ends and escapes, in segments with and without models. */
static void test_property(void **state) {
  static const char signs[] = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", *const ends[] = {"\r", "\n", "\r\n", "\n\n"};
  static const char *const names[] = {"PID", "NK1", "NK1", "PV1", "OBX", "AL1", "DG1", "ZPI"}; /* in order */
  static const char *const words[] = {"a", "F", "X41", ".br", "\"\"", "\xC3\xA9", "CE", "H", "XC3", " "};
  uint32_t seed = 11;
  (void)state;
  for (int round = 0; round < 1000; round++) {
    char set[6], all[sizeof signs];
    struct buf text;
    memcpy(all, signs, sizeof signs);
    for (size_t i = 0; i < 6; i++) {
      size_t at = i + next(&seed) % (sizeof signs - 1 - i);
      set[i] = all[at];
      all[at] = all[i];
    }
    bool model = next(&seed) % 4 == 0; /* delimiters ' or " make "" or ' text: the round trip holds all the same */
    buf_init(&text, 1 << 16);
    buf_printf(&text, "MSH%.6s%c%c%c%c%c%c%cADT%cA01\r", set, set[0], set[0], set[0], set[0], set[0], set[0], set[0], set[1]);
    for (size_t i = 0; i < 8; i++) {
      if (next(&seed) % 2) continue;
      buf_printf(&text, "%s%c", names[i], set[0]);
      for (size_t k = next(&seed) % 30; k > 0; k--)
        if (next(&seed) % 3 && !model)
          buf_add_text(&text, words[next(&seed) % 10]);
        else
          buf_add_char(&text, set[next(&seed) % 6]);
      buf_add_text(&text, ends[next(&seed) % 4]);
    }
    round_trip(buf_str(&text));
    buf_release(&text);
  }
}

static void test_many_repetitions(void **state) {
  struct buf text;
  (void)state;
  buf_init(&text, 1 << 22);
  buf_add_text(&text, ADT "PID|||");
  for (size_t i = 0; i < 100000; i++)
    buf_printf(&text, "%s%zu", i ? "~" : "", i);
  buf_add_char(&text, '\r');
  round_trip(buf_str(&text));
  buf_release(&text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_fields),   cmocka_unit_test(test_groups),          cmocka_unit_test(test_bound),
      cmocka_unit_test(test_models),   cmocka_unit_test(test_made), cmocka_unit_test(test_kept),            cmocka_unit_test(test_made_delimiters),
      cmocka_unit_test(test_changed),  cmocka_unit_test(test_property),        cmocka_unit_test(test_many_repetitions),
  };
  definitions = pack_open();
  if (!definitions) return PACK_SKIPPED;
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  definitions_close(definitions);
  return failed;
}
