/* sections.c - what the page shows of each part of the record, and in which order. */
#include "report/internal.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define COLUMNS(array) .columns = (array), .column_count = COUNT(array)

/* --- cells of several fields --- */

static void add_unit(struct report_page *page, const struct tree_node *row, const char *field, const char *unit,
                     const char *before) {
  struct str text = tree_text(row, field);
  if (!text.len) return;
  buf_add_text(page->out, before);
  report_escape(page->out, text);
  buf_add_text(page->out, unit);
}

static void add_half(struct report_page *page, const struct tree_node *row, const char *value, const char *absent) {
  struct str text = tree_text(row, value), why = tree_text(row, absent);
  if (text.len) {
    report_escape(page->out, text);
    return;
  }
  buf_add_text(page->out, "<span class=\"absent\">");
  report_word(page->out, why.len ? why : STR("not-recorded"));
  buf_add_text(page->out, "</span>");
}

static void write_pressure(struct report_page *page, const struct tree_node *row) {
  add_half(page, row, "systolic", "systolicAbsent");
  buf_add_text(page->out, "/");
  add_half(page, row, "diastolic", "diastolicAbsent");
}

static void write_saturation(struct report_page *page, const struct tree_node *row) {
  add_half(page, row, "spo2", "spo2Absent");
}

/* Names of fields and units as people say them; others stand as they are written. */
static const char *said(struct str word) {
  static const char *const words[][2] = {
      {"weightKg", "weight"}, {"heightCm", "height"},  {"temperatureC", "temperature"}, {"givenMg", "given"},
      {"plannedMg", "planned"}, {"doseMg", "dose"},    {"[lb_av]", "lb"},               {"[oz_av]", "oz"},
      {"[in_i]", "in"},         {"[degF]", "\xC2\xB0""F"}, {"ug", "\xC2\xB5g"},
  };
  for (size_t i = 0; i < COUNT(words); i++)
    if (str_is(word, words[i][0])) return words[i][1];
  return NULL;
}

static void add_said(struct report_page *page, struct str word) {
  const char *known = said(word);
  report_isolate(page->out, known ? str_of(known) : word);
}

/* What was recorded in another unit. */
static void write_converted(struct report_page *page, const struct tree_node *row) {
  const char *between = "";
  for (const struct tree_node *item = tree_find(row, "converted"); item; item = tree_next_same(item)) {
    if (!tree_text(item, "value").len) continue;
    buf_add_text(page->out, between);
    add_said(page, tree_text(item, "field"));
    buf_add_char(page->out, ' ');
    report_value(page, item, "value", REPORT_NUMBER);
    buf_add_char(page->out, ' ');
    add_said(page, tree_text(item, "unit"));
    between = ", ";
  }
}

static void write_product(struct report_page *page, const struct tree_node *row) {
  const struct tree_node *product = report_item(page, "products", tree_text(row, "product"));
  report_word(page->out, tree_text(product ? product : row, "product"));
}

static void write_lot(struct report_page *page, const struct tree_node *row) {
  const struct tree_node *product = report_item(page, "products", tree_text(row, "product"));
  if (product) report_isolate(page->out, tree_text(product, "lot"));
}

static void write_strength(struct report_page *page, const struct tree_node *row) {
  add_unit(page, row, "strengthMgPerMl", " mg/mL", "");
  add_unit(page, row, "strengthMg", " mg each", tree_find(row, "strengthMgPerMl") ? ", " : "");
}

/* A dose as others refer to it. */
static void add_dose(struct report_page *page, struct str id) {
  const struct tree_node *dose = report_item(page, "doses", id);
  if (!dose) {
    report_isolate(page->out, id);
    return;
  }
  write_product(page, dose);
  add_unit(page, dose, "givenMg", " mg", " ");
  buf_add_text(page->out, ", ");
  report_value(page, dose, "start", REPORT_TIME);
}

static void write_dose(struct report_page *page, const struct tree_node *row) {
  add_dose(page, tree_text(row, "dose"));
}

/* Of an interruption. */
static void write_parent_dose(struct report_page *page, const struct tree_node *row) {
  add_dose(page, tree_text(row->parent, "id"));
}

static void write_event(struct report_page *page, const struct tree_node *row) {
  const struct tree_node *event = report_item(page, "adverseEvents", tree_text(row, "event"));
  report_word(page->out, tree_text(event ? event : row, "event"));
}

/* Of an adverse event: its word, its category, its text. */
static void write_happened(struct report_page *page, const struct tree_node *row) {
  report_value(page, row, "event", REPORT_WORD);
  if (tree_text(row, "category").len) buf_add_text(page->out, " (");
  report_value(page, row, "category", REPORT_WORD);
  if (tree_text(row, "category").len) buf_add_char(page->out, ')');
  if (tree_text(row, "text").len) buf_add_text(page->out, "<br>");
  report_value(page, row, "text", REPORT_TEXT);
}

static void write_amount(struct report_page *page, const struct tree_node *row) {
  add_unit(page, row, "givenMg", " mg", "");
  add_unit(page, row, "flowLPerMin", " L/min", tree_find(row, "givenMg") ? ", " : "");
}

void report_diagnoses(struct report_page *page, const struct tree_node *row, const char *field) {
  const char *between = "";
  for (const struct tree_node *node = tree_find(row, field); node; node = tree_next_same(node)) {
    const struct tree_node *diagnosis = report_item(page, "diagnoses", node->text);
    if (!node->text.len) continue;
    buf_add_text(page->out, between);
    report_word(page->out, diagnosis ? tree_text(diagnosis, "what") : node->text);
    between = ", ";
  }
}

static void write_reasons(struct report_page *page, const struct tree_node *row) {
  report_diagnoses(page, row, "reasons");
}

static void write_items(struct report_page *page, const struct tree_node *row) {
  const char *between = "";
  for (const struct tree_node *item = tree_find(row, "items"); item; item = tree_next_same(item)) {
    if (!tree_text(item, "item").len) continue;
    buf_printf(page->out, "%s<span class=\"item\">", between);
    report_word(page->out, tree_text(item, "item"));
    buf_add_text(page->out, ":&#160;");
    report_value(page, item, "score", REPORT_NUMBER);
    report_value(page, item, "answer", REPORT_WORD);
    report_value(page, item, "absent", REPORT_WORD);
    buf_add_text(page->out, "</span>");
    between = " ";
  }
}

void report_result(struct report_page *page, const struct tree_node *row) {
  report_value(page, row, "total", REPORT_NUMBER);
  if (!tree_text(row, "risk").len) return;
  if (tree_text(row, "total").len) buf_add_text(page->out, ", ");
  buf_add_text(page->out, "risk ");
  report_value(page, row, "risk", REPORT_WORD);
}

static void write_note(struct report_page *page, const struct tree_node *row) {
  report_value(page, row, "text", REPORT_TEXT);
  if (tree_text(row, "text").len && tree_text(row, "url").len) buf_add_text(page->out, "<br>");
  report_value(page, row, "url", REPORT_TEXT);
}

static bool skip_note(const struct report_page *page, const struct tree_node *row) {
  return report_is_kept_back(page, row);
}

static void write_given_by(struct report_page *page, const struct tree_node *row) {
  report_value(page, row, "givenBy", REPORT_PERSON);
  if (!tree_text(row, "verifiedBy").len) return;
  buf_add_text(page->out, tree_text(row, "givenBy").len ? "; verified: " : "verified: ");
  report_value(page, row, "verifiedBy", REPORT_PERSON);
}

static void write_status(struct report_page *page, const struct tree_node *row) {
  report_value(page, row, "status", REPORT_WORD);
  if (!tree_text(row, "reason").len) return;
  buf_add_text(page->out, ": ");
  report_value(page, row, "reason", REPORT_WORD);
}

static void write_place(struct report_page *page, const struct tree_node *row) {
  report_value(page, row, "route", REPORT_WORD);
  if (tree_text(row, "route").len && tree_text(row, "site").len) buf_add_text(page->out, ", ");
  report_value(page, row, "site", REPORT_WORD);
}

static void write_staff(struct report_page *page, const struct tree_node *row) {
  report_value(page, row, "given", REPORT_TEXT);
  buf_add_char(page->out, ' ');
  report_value(page, row, "family", REPORT_TEXT);
}

/* --- treatment --- */

static const struct report_field order_fields[] = {
    {"Order", "text", REPORT_TEXT, false, NULL},
    {"Product", "product", REPORT_WORD, true, NULL},
    {"Route", "route", REPORT_WORD, true, write_place},
    {"Dose per weight, mg/kg", "dosePerKg", REPORT_NUMBER, false, NULL},
    {"Weight, kg", "weightKg", REPORT_NUMBER, false, NULL},
    {"Calculated dose, mg", "calculatedMg", REPORT_NUMBER, false, NULL},
    {"Dose, mg", "doseMg", REPORT_NUMBER, false, NULL},
    {"Over, min", "overMinutes", REPORT_NUMBER, false, NULL},
    {"Phase", "phase", REPORT_WORD, false, NULL},
    {"Recorded as", "converted", REPORT_TEXT, false, write_converted},
    {"For", "reasons", REPORT_WORD, false, write_reasons},
    {"Ordered", "authored", REPORT_TIME, false, NULL},
    {"Ordered by", "by", REPORT_PERSON, false, NULL},
};

static const struct report_column dose_columns[] = {
    {"Start", "start", REPORT_TIME, true},
    {"End", "stop", REPORT_TIME, true},
    {"Product", "product", REPORT_WORD, true, NULL, write_product},
    {"Lot", "product", REPORT_TEXT, true, NULL, write_lot},
    {"Device", "device", REPORT_NUMBER},
    {"Sprays", "sprays", REPORT_NUMBER},
    {"Route", "route", REPORT_WORD, true, NULL, write_place, {"site"}},
    {"Planned", "plannedMg", REPORT_NUMBER, true, "mg"},
    {"Given", "givenMg", REPORT_NUMBER, true, "mg"},
    {"Volume", "givenMl", REPORT_NUMBER, false, "mL"},
    {"Running", "runMinutes", REPORT_NUMBER, false, "min"},
    {"Recorded as", "converted", REPORT_TEXT, false, NULL, write_converted},
    {"Status", "status", REPORT_WORD, true, NULL, write_status, {"reason"}},
    {"Given by", "givenBy", REPORT_PERSON, true, NULL, write_given_by, {"verifiedBy"}},
};
static const struct report_section doses = {
    "doses", NULL, "doses", "Doses", "No dose was recorded.", COLUMNS(dose_columns)};

static const struct report_column pause_columns[] = {
    {"From", "start", REPORT_TIME, true},
    {"Until", "stop", REPORT_TIME, true},
    {"Reason", "reason", REPORT_WORD, true},
    {"Given before", "givenMgBefore", REPORT_NUMBER, false, "mg"},
    {"Of", "id", REPORT_TEXT, false, NULL, write_parent_dose},
    {"By", "by", REPORT_PERSON},
};
static const struct report_section pauses = {
    "pauses", NULL, "doses.interruptions", "Pauses", NULL, COLUMNS(pause_columns)};

static const struct report_column product_columns[] = {
    {"Product", "product", REPORT_WORD, true},
    {"Form", "form", REPORT_WORD},
    {"NDC", "ndc", REPORT_TEXT},
    {"Strength", "strengthMgPerMl", REPORT_NUMBER, false, NULL, write_strength, {"strengthMg"}},
    {"Lot", "lot", REPORT_TEXT, true},
    {"Expires", "expires", REPORT_TEXT, true},
};
static const struct report_section products = {
    "products", NULL, "products", "Products", NULL, COLUMNS(product_columns)};

static const struct report_column waste_columns[] = {
    {"Time", "at", REPORT_TIME, true},
    {"Product", "product", REPORT_WORD, true, NULL, write_product},
    {"Drawn", "drawnMg", REPORT_NUMBER, true, "mg"},
    {"Wasted", "wastedMg", REPORT_NUMBER, true, "mg"},
    {"Volume", "wastedMl", REPORT_NUMBER, false, "mL"},
    {"Dose", "dose", REPORT_TEXT, false, NULL, write_dose},
    {"By", "by", REPORT_PERSON, true},
    {"Witness", "witness", REPORT_PERSON, true},
};
static const struct report_section waste = {"waste", NULL, "waste", "Waste", NULL, COLUMNS(waste_columns)};

static const struct report_column procedure_columns[] = {
    {"Start", "start", REPORT_TIME, true}, {"End", "stop", REPORT_TIME, true}, {"Procedure", "what", REPORT_WORD, true},
    {"CPT", "cpt", REPORT_TEXT},           {"By", "by", REPORT_PERSON},
};
static const struct report_section procedures = {
    "procedures", NULL, "procedures", "Procedures", NULL, COLUMNS(procedure_columns)};

static void add_treatment(struct report_page *page) {
  const struct tree_node *order = tree_find(page->record, "order");
  report_heading(page, "treatment", "Treatment");
  if (order) report_fields(page, order, order_fields, COUNT(order_fields));
  report_section(page, &doses);
  report_section(page, &pauses);
  report_section(page, &waste);
  report_section(page, &products);
  report_section(page, &procedures);
}

/* --- what was observed --- */

static const struct report_column vitals_columns[] = {
    {"Time", "at", REPORT_TIME, true},
    {"Moment", "label", REPORT_WORD},
    {"Blood pressure", "systolic", REPORT_NUMBER, true, "mmHg", write_pressure,
     {"diastolic", "systolicAbsent", "diastolicAbsent"}},
    {"Heart rate", "heartRate", REPORT_NUMBER, true, "/min"},
    {"SpO₂", "spo2", REPORT_NUMBER, true, "%", write_saturation, {"spo2Absent"}},
    {"Respiratory rate", "respiratoryRate", REPORT_NUMBER, true, "/min"},
    {"Oxygen", "oxygenLPerMin", REPORT_NUMBER, false, "L/min"},
    {"FiO₂", "oxygenPercent", REPORT_NUMBER, false, "%"},
    {"Temperature", "temperatureC", REPORT_NUMBER, false, "°C"},
    {"Weight", "weightKg", REPORT_NUMBER, false, "kg"},
    {"Height", "heightCm", REPORT_NUMBER, false, "cm"},
    {"Recorded as", "converted", REPORT_TEXT, false, NULL, write_converted},
    {"By", "by", REPORT_PERSON},
};
static const struct report_section vitals = {"vitals", "Vital signs", "vitals", "Readings in the order of the record",
                                             "No vital signs were recorded.", COLUMNS(vitals_columns)};

static const struct report_column assessment_columns[] = {
    {"Time", "at", REPORT_TIME, true},       {"MOAA/S", "moaas", REPORT_NUMBER, true},
    {"Sedation", "sedation", REPORT_WORD, true}, {"Dissociation", "dissociation", REPORT_WORD, true},
    {"Respiration", "respiration", REPORT_WORD}, {"In words", "text", REPORT_TEXT},
    {"By", "by", REPORT_PERSON},
};
static const struct report_section assessments = {
    "assessments", "Sedation and dissociation", "assessments", "Assessments; MOAA/S from 0 to 5 (awake)", NULL,
    COLUMNS(assessment_columns)};

static const struct report_column event_columns[] = {
    {"Begin", "onset", REPORT_TIME, true},
    {"End", "end", REPORT_TIME, true},
    {"Event", "event", REPORT_WORD, true, NULL, write_happened, {"category", "text"}},
    {"Severity", "severity", REPORT_WORD, true},
    {"Seriousness", "seriousness", REPORT_WORD, true},
    {"Causality", "causality", REPORT_WORD, true},
    {"Action", "action", REPORT_TEXT, true},
    {"Outcome", "outcome", REPORT_WORD, true},
    {"Dose", "dose", REPORT_TEXT, false, NULL, write_dose},
    {"Recorded by", "recordedBy", REPORT_PERSON},
};
static const struct report_section events = {"events", "Adverse events", "adverseEvents",
                                             "Adverse events in the order of the record",
                                             "No adverse event was recorded.", COLUMNS(event_columns)};

static const struct report_column medicine_columns[] = {
    {"Start", "start", REPORT_TIME, true},
    {"End", "stop", REPORT_TIME},
    {"Medicine", "name", REPORT_TEXT, true},
    {"Amount", "givenMg", REPORT_NUMBER, true, NULL, write_amount, {"flowLPerMin"}},
    {"Route", "route", REPORT_WORD},
    {"Purpose", "purpose", REPORT_WORD},
    {"Reason", "reason", REPORT_WORD},
    {"For the event", "event", REPORT_WORD, false, NULL, write_event},
    {"By", "by", REPORT_PERSON},
};
static const struct report_section medicines = {"medicines", "Rescue and other medicines, oxygen", "supportMedications",
                                                "Given beside the treatment", NULL, COLUMNS(medicine_columns)};

static const struct report_column scale_columns[] = {
    {"Time", "at", REPORT_TIME, true},
    {"Scale", "scale", REPORT_WORD, true},
    {"Version", "version", REPORT_TEXT},
    {"Result", "total", REPORT_NUMBER, true, NULL, report_result, {"risk"}},
    {"Answered by", "answeredBy", REPORT_PERSON},
    {"Rated by", "by", REPORT_PERSON},
    {"Items", "items", REPORT_TEXT, false, NULL, write_items},
};
static const struct report_section scales = {
    "scales", NULL, "scales", "All ratings, in the order of the record", NULL, COLUMNS(scale_columns)};

/* --- before and after --- */

static const struct report_field screen_fields[] = {
    {"Decision", "decision", REPORT_WORD, true, NULL},
    {"Decided by", "decisionBy", REPORT_PERSON, true, NULL},
    {"Asked", "at", REPORT_TIME, true, NULL},
    {"Asked by", "by", REPORT_PERSON, true, NULL},
    {"Fasting reported", "fastingReported", REPORT_YES, false, NULL},
    {"Last food", "lastFood", REPORT_TIME, false, NULL},
    {"Last liquid", "lastLiquid", REPORT_TIME, false, NULL},
    {"Pregnancy", "pregnancy", REPORT_WORD, false, NULL},
    {"Smoking", "smoking", REPORT_WORD, false, NULL},
};
static const struct report_column question_columns[] = {
    {"Asked for", "ask", REPORT_WORD, true}, {"Answer", "answer", REPORT_WORD, true}, {"In words", "text", REPORT_TEXT}};
static const struct report_section questions = {
    "questions", NULL, "screen.questions", "Questions", NULL, COLUMNS(question_columns)};

static const struct report_field discharge_fields[] = {
    {"Time", "at", REPORT_TIME, true, NULL},
    {"Ready for discharge", "ready", REPORT_YES, true, NULL},
    {"Vital signs acceptable", "vitalsAcceptable", REPORT_YES, true, NULL},
    {"Observed, min", "observedMinutes", REPORT_NUMBER, true, NULL},
    {"Disposition", "disposition", REPORT_WORD, true, NULL},
    {"Escort", "escort", REPORT_PERSON, true, NULL},
    {"Decided by", "by", REPORT_PERSON, true, NULL},
    {"Instructions", "instructions", REPORT_TEXT, true, NULL},
};

static const struct report_field rems_fields[] = {
    {"Patient enrolled", "patientEnrolled", REPORT_YES, true, NULL},
    {"Patient id", "patientId", REPORT_TEXT, false, NULL},
    {"Site id", "siteId", REPORT_TEXT, false, NULL},
    {"Form due", "formDue", REPORT_TEXT, true, NULL},
    {"Form submitted", "submitted", REPORT_TEXT, true, NULL},
    {"Vital signs acceptable before", "vitalsAcceptableBefore", REPORT_YES, true, NULL},
    {"Vital signs acceptable at the end", "vitalsAcceptableAtEnd", REPORT_YES, true, NULL},
    {"Benzodiazepine", "benzodiazepine", REPORT_WORD, true, NULL},
    {"Other hypnotic", "nonBenzodiazepineHypnotic", REPORT_WORD, true, NULL},
    {"Psychostimulant", "psychostimulant", REPORT_WORD, true, NULL},
    {"MAO inhibitor", "maoi", REPORT_WORD, true, NULL},
    {"Opioid", "opioid", REPORT_WORD, true, NULL},
    {"Sedation", "sedation", REPORT_WORD, true, NULL},
    {"Dissociation", "dissociation", REPORT_WORD, true, NULL},
    {"Respiratory depression", "respiratoryDepression", REPORT_WORD, true, NULL},
    {"Serious adverse event", "seriousAdverseEvent", REPORT_WORD, true, NULL},
};

static void add_object(struct report_page *page, const char *id, const char *title, const char *part,
                       const struct report_field *fields, size_t count) {
  const struct tree_node *object = tree_find(page->record, part);
  if (!object) return;
  report_heading(page, id, title);
  report_fields(page, object, fields, count);
}

/* --- what comes next --- */

static const struct report_column follow_columns[] = {
    {"Start", "start", REPORT_TIME, true},   {"What for", "what", REPORT_WORD, true},
    {"Status", "status", REPORT_WORD, true}, {"Length", "minutes", REPORT_NUMBER, false, "min"},
    {"With", "with", REPORT_PERSON},         {"Instructions", "instructions", REPORT_TEXT},
};
static const struct report_section follow_up = {
    "follow-up", "Follow-up", "followUp", "Appointments to come", NULL, COLUMNS(follow_columns)};

static const struct report_column therapy_columns[] = {
    {"Start", "start", REPORT_TIME, true},
    {"End", "stop", REPORT_TIME, true},
    {"Kind", "kind", REPORT_WORD, true},
    {"By", "by", REPORT_PERSON, true},
    {"CPT", "cpt", REPORT_TEXT},
    {"Sensitivity", "sensitivity", REPORT_WORD},
};
static const struct report_section therapy = {
    "psychotherapy", "Psychotherapy", "psychotherapy", "Psychotherapy and integration", NULL, COLUMNS(therapy_columns)};

static const struct report_column referral_columns[] = {
    {"Written", "authored", REPORT_TIME, true}, {"What for", "what", REPORT_WORD, true},
    {"Status", "status", REPORT_WORD, true},    {"To", "to", REPORT_TEXT},
    {"Reasons", "reasons", REPORT_WORD, false, NULL, write_reasons},
    {"In words", "text", REPORT_TEXT},          {"By", "by", REPORT_PERSON, true},
};
static const struct report_section referrals = {
    "referrals", "Referrals", "referrals", "Referrals", NULL, COLUMNS(referral_columns)};

static const struct report_field plan_fields[] = {
    {"Plan", "text", REPORT_TEXT, false, NULL},
    {"Status", "status", REPORT_WORD, true, NULL},
};
static const struct report_column goal_columns[] = {
    {"Goal", "text", REPORT_TEXT, true}, {"Status", "status", REPORT_WORD, true}, {"Due", "due", REPORT_TEXT}};
static const struct report_column step_columns[] = {{"What", "what", REPORT_WORD, true},
                                                    {"Status", "status", REPORT_WORD}};
static const struct report_section plan_parts[] = {
    {"goals", NULL, "plan.goals", "Goals", NULL, COLUMNS(goal_columns)},
    {"activities", NULL, "plan.activities", "Activities", NULL, COLUMNS(step_columns)},
    {"alternatives", NULL, "plan.alternatives", "Alternatives considered", NULL, COLUMNS(step_columns)},
};

static void add_plan(struct report_page *page) {
  if (!tree_find(page->record, "plan")) return;
  add_object(page, "plan", "Plan", "plan", plan_fields, COUNT(plan_fields));
  for (size_t i = 0; i < COUNT(plan_parts); i++)
    report_section(page, &plan_parts[i]);
}

/* --- notes --- */

static const struct report_column note_columns[] = {
    {"Time", "at", REPORT_TIME, true},
    {"Type", "type", REPORT_WORD, true},
    {"Author", "author", REPORT_PERSON, true},
    {"Note", "text", REPORT_TEXT, true, NULL, write_note, {"url"}},
    {"Format", "contentType", REPORT_TEXT},
    {"Sensitivity", "sensitivity", REPORT_WORD},
};
static const struct report_section notes = {
    "notes", NULL, "notes", "Notes of this session", NULL, COLUMNS(note_columns), skip_note};

static const struct report_column experience_columns[] = {{"Time", "at", REPORT_TIME, true},
                                                          {"Words", "text", REPORT_TEXT, true}};
static const struct report_section experience = {
    "experience", "In the patient's own words", "experience", "What the patient told", NULL, COLUMNS(experience_columns)};

static void add_notes(struct report_page *page) {
  struct report_rows all = report_collect(page, "notes");
  size_t kept_back = 0;
  for (size_t i = 0; i < all.count; i++)
    kept_back += report_is_kept_back(page, all.nodes[i]);
  if (!all.count) return;
  report_heading(page, "notes", "Notes");
  report_section(page, &notes);
  if (kept_back)
    buf_printf(page->out, "<p class=\"none\">%zu psychotherapy note%s kept back.</p>\n", kept_back,
               kept_back == 1 ? " is" : "s are");
}

/* --- background --- */

static const struct report_column diagnosis_columns[] = {
    {"Diagnosis", "what", REPORT_WORD, true}, {"ICD-10-CM", "icd10", REPORT_TEXT}, {"Status", "status", REPORT_WORD, true},
    {"Onset", "onset", REPORT_TEXT},          {"Recorded", "recorded", REPORT_TEXT},
};
static const struct report_column allergy_columns[] = {
    {"Substance", "substance", REPORT_WORD, true},
    {"Status", "status", REPORT_WORD, true},
    {"Reaction", "reaction", REPORT_WORD},
    {"Severity", "reactionSeverity", REPORT_WORD},
    {"Criticality", "criticality", REPORT_WORD},
};
static const struct report_column home_columns[] = {
    {"Medicine", "name", REPORT_TEXT, true}, {"Class", "class", REPORT_WORD}, {"Status", "status", REPORT_WORD, true},
    {"Since", "since", REPORT_TEXT},         {"Until", "until", REPORT_TEXT},
};
static const struct report_column prior_columns[] = {
    {"Treatment", "kind", REPORT_WORD, true}, {"Name", "name", REPORT_TEXT}, {"Outcome", "outcome", REPORT_WORD, true},
    {"From", "from", REPORT_TEXT},            {"To", "to", REPORT_TEXT},
};
static const struct report_column consent_columns[] = {
    {"Consent", "kind", REPORT_WORD, true},
    {"Status", "status", REPORT_WORD, true},
    {"Signed", "signed", REPORT_TIME, true},
    {"By", "by", REPORT_PERSON, true},
    {"Document", "documentId", REPORT_TEXT},
};
static const struct report_column coverage_columns[] = {
    {"Payer", "payer", REPORT_TEXT, true},
    {"Member id", "memberId", REPORT_TEXT},
    {"Relationship", "relationship", REPORT_WORD},
    {"Prior authorization", "priorAuthorization", REPORT_TEXT},
};
static const struct report_column contact_columns[] = {
    {"Name", "name", REPORT_TEXT, true},
    {"Role", "role", REPORT_WORD, true},
    {"Relationship", "relationship", REPORT_WORD},
    {"Telephone", "phone", REPORT_TEXT},
};
static const struct report_column staff_columns[] = {
    {"Name", "family", REPORT_TEXT, true, NULL, write_staff, {"given"}},
    {"Role", "role", REPORT_WORD, true},
    {"Credential", "credential", REPORT_TEXT},
    {"Specialty", "specialty", REPORT_WORD},
    {"NPI", "npi", REPORT_TEXT},
};
static const struct report_section background[] = {
    {"diagnoses", NULL, "diagnoses", "Diagnoses", NULL, COLUMNS(diagnosis_columns)},
    {"allergies", NULL, "allergies", "Allergies", NULL, COLUMNS(allergy_columns)},
    {"home-medicines", NULL, "homeMedications", "Medicines at home", NULL, COLUMNS(home_columns)},
    {"prior-treatments", NULL, "priorTreatments", "Treatments tried before", NULL, COLUMNS(prior_columns)},
    {"consents", NULL, "consents", "Consents", NULL, COLUMNS(consent_columns)},
    {"coverage", NULL, "coverage", "Insurance", NULL, COLUMNS(coverage_columns)},
    {"contacts", NULL, "patient.contacts", "Contacts", NULL, COLUMNS(contact_columns)},
    {"staff", NULL, "staff", "Staff", NULL, COLUMNS(staff_columns)},
};

static void add_background(struct report_page *page) {
  report_heading(page, "background", "Background");
  for (size_t i = 0; i < COUNT(background); i++)
    report_section(page, &background[i]);
}

static void add_scales(struct report_page *page) {
  if (!tree_find(page->record, "scales")) return;
  report_heading(page, "scales", "Rating scales");
  report_change(page);
  report_section(page, &scales);
}

static void add_screen(struct report_page *page) {
  add_object(page, "screen", "Check before the dose", "screen", screen_fields, COUNT(screen_fields));
  report_section(page, &questions);
}

void report_sections(struct report_page *page) {
  report_section(page, &vitals);
  report_section(page, &events);
  report_section(page, &medicines);
  report_section(page, &assessments);
  add_treatment(page);
  add_scales(page);
  add_object(page, "discharge", "Discharge", "discharge", discharge_fields, COUNT(discharge_fields));
  report_section(page, &follow_up);
  add_plan(page);
  report_section(page, &referrals);
  report_section(page, &therapy);
  add_notes(page);
  report_section(page, &experience);
  add_screen(page);
  add_object(page, "rems", "REMS form", "rems", rems_fields, COUNT(rems_fields));
  add_background(page);
}
