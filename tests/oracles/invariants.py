"""How to break each invariant of R4: by the type or element that it stands on, changes of an object of valid JSON.

A breaker gets the object and changes it; it answers with the member where the finding belongs ("" for the object itself), or None when it
does not apply to this object. Each must leave everything else in order.
"""
UCUM = "http://unitsofmeasure.org"
TERMS = "http://terminology.hl7.org/CodeSystem/"


def put(**members):
    """Adds members that are not there."""
    def change(o):
        if any(same_choice(o, name) for name in members):
            return None
        o.update(members)
        return ""
    return change


def same_choice(o, name):
    return name in o or "_" + name in o


def with_(*names, **members):
    """The same where `names` are given already: they must not stand together with what is added."""
    def change(o):
        return put(**members)(o) if all(name in o for name in names) else None
    return change


def overwrite(*names, **members):
    def change(o):
        if not all(name in o for name in names):
            return None
        o.update(members)
        return ""
    return change


def drop(*names, least=1):
    """Takes away all of `names`, of which there must be some."""
    def change(o):
        here = [name for name in names if name in o]
        if len(here) < least or len(o) == len(here):
            return None
        for name in here:
            del o[name]
            o.pop("_" + name, None)
        return ""
    return change


def one(name, change):
    """On the first item of a list, or the only value; the finding belongs there."""
    def inner(o):
        if name not in o:
            return None
        listed = isinstance(o[name], list)
        place = change(o[name][0] if listed else o[name])
        here = f"{name}[0]" if listed else name
        return None if place is None else f"{here}.{place}" if place else here
    return inner


def at_top(change):
    """What is changed lies below, the finding belongs to the object itself."""
    return lambda o: None if change(o) is None else ""


def both(first, second):
    return lambda o: second(o) if first(o) is not None else None


def when(test, change):
    return lambda o: change(o) if test(o) else None


def twice(name, key=None):
    """The first item of a list once more."""
    def change(o):
        if not isinstance(o.get(name), list):
            return None
        if key and any(key not in item for item in o[name][:1]):
            return None
        o[name].append(dict(o[name][0]) if isinstance(o[name][0], dict) else o[name][0])
        return ""
    return change


def swap_period(o):
    start, end = o.get("start"), o.get("end")
    if not start or not end or start[:10] >= end[:10] or len(start) != len(end):
        return None
    o["start"], o["end"] = end, start
    return ""


def swap_range(o):
    low, high = o.get("low", {}), o.get("high", {})
    if low.get("code") != high.get("code") or low.get("system") != high.get("system") or "value" not in low or "value" not in high:
        return None
    low["value"] = high["value"] + 1
    return ""


def code(system, value):
    return {"coding": [{"system": system, "code": value}]}


def contained(**members):
    def change(o):
        if not o.get("contained"):
            return None
        o["contained"][0].update(members)
        return ""
    return change


def reference_to_nothing(o):
    if "reference" not in o:
        return None
    o["reference"] = "#no-such-resource"
    return ""


def is_type(name, *types):
    return lambda o: o.get(name) in types


QUANTITY = {"value": 1, "system": UCUM, "code": "s", "unit": "s"}
REFERENCE = {"reference": "Patient/example", "display": "somebody"}
TEXT = {"text": "something"}

# key, where, breaker
BREAKERS = [
    ("ext-1", "Extension", put(extension=[{"url": "x", "valueString": "x"}])),
    ("ext-1", "Extension", drop("valueString", "valueCode", "valueBoolean", "valueInteger", "valueUri", "valueCodeableConcept", "valueCoding",
                                "valueDecimal", "valueDateTime", "valueQuantity", "valueReference", "valueAddress", "valueUrl")),
    ("qty-3", "Quantity", drop("system")),
    ("qty-3", "Quantity", with_("value", code="mg")),
    ("age-1", "Age", drop("code")),
    ("age-1", "Age", overwrite("value", value=-1)),
    ("drt-1", "Duration", overwrite("code", system="http://example.org/units")),
    ("cnt-3", "Count", overwrite("value", value=1.5)),
    ("dis-1", "Distance", overwrite("value", system="http://example.org/units")),
    ("att-1", "Attachment", when(lambda o: "data" in o, drop("contentType"))),
    ("att-1", "Attachment", when(lambda o: "contentType" not in o, put(data="QUJD"))),
    ("cpt-2", "ContactPoint", when(lambda o: "value" in o, drop("system"))),
    ("drq-1", "DataRequirement.codeFilter", when(lambda o: "path" in o, put(searchParam="code"))),
    ("drq-1", "DataRequirement.codeFilter", drop("path")),
    ("drq-2", "DataRequirement.dateFilter", when(lambda o: "path" in o, put(searchParam="date"))),
    ("exp-1", "Expression", drop("expression", "reference")),
    ("per-1", "Period", swap_period),
    ("rng-2", "Range", swap_range),
    ("rat-1", "Ratio", drop("denominator")),
    ("rat-1", "Ratio", drop("numerator")),
    ("ref-1", "Reference", reference_to_nothing),
    ("tim-1", "Timing.repeat", drop("durationUnit")),
    ("tim-1", "Timing.repeat", put(duration=1)),
    ("tim-2", "Timing.repeat", drop("periodUnit")),
    ("tim-4", "Timing.repeat", overwrite("duration", duration=-1)),
    ("tim-4", "Timing.repeat", put(duration=-1, durationUnit="h")),
    ("tim-5", "Timing.repeat", overwrite("period", period=-1)),
    ("tim-6", "Timing.repeat", when(lambda o: "period" not in o, put(periodMax=2))),
    ("tim-7", "Timing.repeat", when(lambda o: "duration" not in o, put(durationMax=2))),
    ("tim-8", "Timing.repeat", when(lambda o: "count" not in o, put(countMax=2))),
    ("tim-9", "Timing.repeat", when(lambda o: "when" not in o, put(offset=30))),
    ("tim-9", "Timing.repeat", when(lambda o: "when" not in o, put(offset=30, when=["CM"]))),
    ("tim-10", "Timing.repeat", put(timeOfDay=["08:00:00"], when=["MORN"])),
    ("trd-1", "TriggerDefinition", with_("data", timingDate="2020-01-01")),
    ("trd-2", "TriggerDefinition", when(lambda o: "data" not in o, put(condition={"language": "text/fhirpath", "expression": "true"}))),
    ("trd-3", "TriggerDefinition", when(is_type("type", "named-event"), drop("name"))),
    ("eld-1", "ElementDefinition.slicing", drop("discriminator", "description")),
    ("eld-2", "ElementDefinition", overwrite("min", "max", min=3, max="2")),
    ("eld-3", "ElementDefinition", lambda o: "max" if overwrite("max", max="-1")(o) == "" else None),
    ("eld-4", "ElementDefinition", one("type", when(lambda o: o.get("code") not in ("Reference", "canonical"), put(aggregation=["bundled"])))),
    ("eld-8", "ElementDefinition", when(lambda o: "type" not in o or len(o["type"]) == 1, put(fixedString="a", patternString="a"))),
    ("eld-13", "ElementDefinition", twice("type", "code")),
    ("eld-14", "ElementDefinition", twice("constraint", "key")),
    ("eld-15", "ElementDefinition", put(defaultValueString="a", meaningWhenMissing="a")),
    ("eld-16", "ElementDefinition", when(lambda o: "." in o["path"], put(sliceName="a b"))),
    ("eld-17", "ElementDefinition", one("type", when(lambda o: o.get("code") not in ("Reference", "canonical"),
                                                     put(targetProfile=["http://hl7.org/fhir/StructureDefinition/Patient"])))),
    ("eld-18", "ElementDefinition", overwrite("isModifier", isModifier=True)),
    ("eld-22", "ElementDefinition", when(lambda o: "sliceName" not in o, put(sliceIsConstraining=True))),
    ("eld-6", "ElementDefinition", when(lambda o: len(o.get("type", [])) > 1, put(fixedString="a"))),
    ("eld-7", "ElementDefinition", when(lambda o: len(o.get("type", [])) > 1, put(patternString="a"))),
    ("eld-11", "ElementDefinition", when(lambda o: [t["code"] for t in o.get("type", [])] == ["boolean"],
                                         put(binding={"strength": "example", "description": "a"}))),
    ("dom-2", "Resource", at_top(one("contained", put(contained=[{"resourceType": "Basic", "id": "b", "code": TEXT}])))),
    ("dom-3", "Resource", lambda o: "" if o.get("contained") and not o["contained"].append(
        {"resourceType": "Basic", "id": "nobody-refers-to-this", "code": TEXT}) else None),
    ("dom-3", "Resource", put(contained=[{"resourceType": "Basic", "id": "nobody-refers-to-this", "code": TEXT}])),
    ("dom-4", "Resource", contained(meta={"versionId": "1"})),
    ("dom-4", "Resource", contained(meta={"lastUpdated": "2020-01-01T00:00:00Z"})),
    ("dom-5", "Resource", contained(meta={"security": [{"system": TERMS + "v3-Confidentiality", "code": "N"}]})),
    ("ait-1", "AllergyIntolerance", drop("clinicalStatus")),
    ("ait-2", "AllergyIntolerance", overwrite("clinicalStatus", verificationStatus=code(TERMS + "allergyintolerance-verification",
                                                                                    "entered-in-error"))),
    ("app-1", "Appointment.participant", drop("type", "actor")),
    ("app-2", "Appointment", drop("end")),
    ("app-3", "Appointment", when(is_type("status", "booked", "arrived", "fulfilled", "noshow"), drop("start", "end", least=2))),
    ("app-4", "Appointment", when(is_type("status", "booked", "arrived", "proposed"), put(cancelationReason=TEXT))),
    ("apr-1", "AppointmentResponse", drop("participantType", "actor")),
    ("sev-1", "AuditEvent.entity", put(name="a", query="QUJD")),
    ("cpb-1", "CapabilityStatement", drop("rest", "messaging", "document")),
    ("cpb-2", "CapabilityStatement", when(lambda o: o.get("kind") == "requirements", drop("description"))),
    ("cpb-3", "CapabilityStatement", when(lambda o: o.get("kind") != "instance", one("messaging", lambda o: None))),
    ("cpb-9", "CapabilityStatement.rest", twice("resource", "type")),
    ("cpb-12", "CapabilityStatement.rest.resource", twice("searchParam", "name")),
    ("cpb-14", "CapabilityStatement", when(is_type("kind", "instance"), drop("implementation"))),
    ("cpb-15", "CapabilityStatement", when(is_type("kind", "capability"), put(implementation={"description": "a"}))),
    ("cpb-16", "CapabilityStatement", when(is_type("kind", "requirements"), put(software={"name": "a"}))),
    ("cpl-3", "CarePlan.activity", with_("detail", reference={"reference": "ServiceRequest/example"})),
    ("cpl-3", "CarePlan.activity", with_("reference", detail={"status": "scheduled"})),
    ("csd-1", "CodeSystem", twice("concept", "code")),
    ("cmp-1", "Composition.section", drop("text", "entry", "section")),
    ("cmp-2", "Composition.section", with_("entry", emptyReason=code(TERMS + "list-empty-reason", "nilknown"))),
    ("cmd-1", "ConceptMap.group.element.target", when(lambda o: "comment" not in o, overwrite("equivalence", equivalence="narrower"))),
    ("cmd-2", "ConceptMap.group.unmapped", when(is_type("mode", "fixed"), drop("code"))),
    ("cmd-3", "ConceptMap.group.unmapped", overwrite("mode", mode="other-map")),
    ("con-1", "Condition.stage", drop("summary", "assessment")),
    ("con-2", "Condition", one("evidence", lambda o: None if o.pop("code", o.pop("detail", None)) is None or o else None)),
    ("con-4", "Condition", when(lambda o: {"active"} == {c.get("code") for c in o.get("clinicalStatus", {}).get("coding", [])}
                                and not any(name.startswith("abatement") for name in o), put(abatementString="a while ago"))),
    ("con-5", "Condition", overwrite("clinicalStatus", verificationStatus=code(TERMS + "condition-ver-status", "entered-in-error"))),
    ("ppc-1", "Consent", drop("policy", "policyRule")),
    ("ces-1", "CoverageEligibilityResponse.insurance.item", with_("category", productOrService=TEXT)),
    ("ces-1", "CoverageEligibilityResponse.insurance.item", drop("category")),
    ("fhs-1", "FamilyMemberHistory", when(lambda o: "bornString" not in o and "bornPeriod" not in o and "bornDate" not in o,
                                          put(ageString="10", bornString="1990"))),
    ("fhs-2", "FamilyMemberHistory", when(lambda o: not any(name.startswith("age") for name in o), put(estimatedAge=True))),
    ("gol-1", "Goal.target", when(lambda o: "measure" not in o and not any(n.startswith("detail") for n in o), put(detailString="a"))),
    ("gol-1", "Goal.target", when(lambda o: any(n.startswith("detail") for n in o), drop("measure"))),
    ("grp-1", "Group", overwrite("member", actual=False)),
    ("imm-1", "Immunization.education", drop("documentType", "reference")),
    ("imr-1", "ImmunizationRecommendation.recommendation", drop("vaccineCode", "targetDisease")),
    ("ipn-1", "InsurancePlan", drop("identifier", "name")),
    ("lnk-1", "Linkage", lambda o: None if len(o.get("item", [])) < 2 else o["item"].__delitem__(slice(1, None)) or ""),
    ("lst-1", "List", with_("entry", emptyReason=code(TERMS + "list-empty-reason", "nilknown"))),
    ("lst-2", "List", when(is_type("mode", "working", "snapshot"), at_top(one("entry", put(deleted=True))))),
    ("lst-3", "List", when(is_type("mode", "changes", "snapshot"), at_top(one("entry", put(date="2020-01-01"))))),
    ("mrp-1", "MeasureReport", overwrite("group", type="data-collection")),
    ("mad-1", "MedicationAdministration.dosage", drop("dose", "rateRatio", "rateQuantity")),
    ("mdd-1", "MedicationDispense", lambda o: "" if o.get("whenPrepared") and not o.update(whenHandedOver="1990-01-01T00:00:00Z") else None),
    ("md-1", "MessageDefinition.focus", overwrite("max", max="0")),
    ("msq-3", "MolecularSequence", overwrite("coordinateSystem", coordinateSystem=2)),
    ("msq-5", "MolecularSequence.referenceSeq", when(lambda o: "genomeBuild" not in o, put(chromosome=TEXT))),
    ("msq-6", "MolecularSequence.referenceSeq", with_("referenceSeqId", referenceSeqString="ACGT")),
    ("nsd-1", "NamingSystem", when(is_type("kind", "root"), at_top(one("uniqueId", overwrite("type", type="uuid"))))),
    ("nsd-2", "NamingSystem", when(lambda o: o["uniqueId"][0].get("preferred"), twice("uniqueId", "type"))),
    ("obs-3", "Observation.referenceRange", drop("low", "high", "text")),
    ("obs-6", "Observation", when(lambda o: any(name.startswith("value") for name in o),
                                  put(dataAbsentReason=code(TERMS + "data-absent-reason", "unknown")))),
    ("obs-7", "Observation", when(lambda o: any(name.startswith("value") for name in o) and o["code"].get("coding"),
                                  lambda o: "" if not o.setdefault("component", []).append({"code": dict(o["code"]), "valueString": "a"}) else "")),
    ("opd-1", "OperationDefinition.parameter", drop("type")),
    ("opd-2", "OperationDefinition.parameter", when(lambda o: o.get("type", "string") != "string", put(searchType="token"))),
    ("opd-3", "OperationDefinition.parameter", when(lambda o: o.get("type") not in (None, "Reference", "canonical"),
                                                    put(targetProfile=["http://hl7.org/fhir/StructureDefinition/Patient"]))),
    ("org-1", "Organization", drop("identifier", "name")),
    ("org-2", "Organization", one("address", lambda o: o.update(use="home") or "")),
    ("org-3", "Organization", one("telecom", lambda o: o.update(use="home") or "")),
    ("pat-1", "Patient.contact", both(put(gender="other"), drop("name", "telecom", "address", "organization"))),
    ("pat-1", "Patient.contact", when(lambda o: "gender" in o or "relationship" in o, drop("name", "telecom", "address", "organization"))),
    ("inv-1", "Parameters.parameter", with_("valueString", part=[{"name": "a", "valueString": "a"}])),
    ("inv-1", "Parameters.parameter", drop("valueString", "valueCode", "valueBoolean", "valueUri", "valueCoding", "resource", "part")),
    ("que-1", "Questionnaire.item", when(is_type("type", "group"), drop("item"))),
    ("que-1", "Questionnaire.item", when(is_type("type", "display"), put(item=[{"linkId": "new", "type": "string"}]))),
    ("que-2", "Questionnaire", twice("item", "linkId")),
    ("que-3", "Questionnaire.item", when(is_type("type", "display"), put(code=[{"system": "http://example.org", "code": "a"}]))),
    ("que-4", "Questionnaire.item", with_("answerOption", answerValueSet="http://example.org/ValueSet/a")),
    ("que-4", "Questionnaire.item", with_("answerValueSet", answerOption=[{"valueString": "a"}])),
    ("que-5", "Questionnaire.item", when(is_type("type", "boolean", "group", "reference"), put(answerOption=[{"valueString": "a"}]))),
    ("que-6", "Questionnaire.item", when(is_type("type", "display"), put(required=True))),
    ("que-7", "Questionnaire.item.enableWhen", lambda o: None if "answerBoolean" in o else overwrite("operator", operator="exists")(o)),
    ("que-8", "Questionnaire.item", when(is_type("type", "group", "display"), put(initial=[{"valueString": "a"}]))),
    ("que-9", "Questionnaire.item", when(is_type("type", "display"), put(readOnly=True))),
    ("que-10", "Questionnaire.item", when(is_type("type", "date", "group", "choice"), put(maxLength=5))),
    ("que-11", "Questionnaire.item", with_("answerOption", initial=[{"valueString": "a"}])),
    ("que-13", "Questionnaire.item", when(lambda o: o["type"] == "string" and not o.get("repeats"),
                                          put(initial=[{"valueString": "a"}, {"valueString": "b"}]))),
    ("qrs-1", "QuestionnaireResponse.item", with_("answer", item=[{"linkId": "new"}])),
    ("qrs-1", "QuestionnaireResponse.item", with_("item", answer=[{"valueString": "a"}])),
    ("rqg-1", "RequestGroup.action", with_("action", resource=REFERENCE)),
    ("rqg-1", "RequestGroup.action", drop("action", "resource")),
    ("ras-2", "RiskAssessment.prediction", overwrite("probabilityDecimal", probabilityDecimal=101)),
    ("spd-1", "SearchParameter", drop("xpathUsage")),
    ("spd-2", "SearchParameter", when(lambda o: o["type"] != "reference", put(chain=["name"]))),
    ("prr-1", "ServiceRequest", when(lambda o: "code" not in o, put(orderDetail=[TEXT]))),
    ("prr-1", "ServiceRequest", both(put(orderDetail=[TEXT]), drop("code"))),
    ("sdf-4", "StructureDefinition", when(lambda o: not o["abstract"], drop("baseDefinition"))),
    ("sdf-5", "StructureDefinition", when(is_type("type", "Extension"), drop("context"))),
    ("sdf-6", "StructureDefinition", drop("snapshot", "differential")),
    ("sdf-18", "StructureDefinition", when(lambda o: o["type"] != "Extension", put(contextInvariant=["true"]))),
    ("sdf-2", "StructureDefinition", one("mapping", drop("name", "uri"))),
    ("sdf-3", "StructureDefinition.snapshot", at_top(one("element", drop("min")))),
    ("sdf-3", "StructureDefinition.snapshot", at_top(one("element", drop("definition")))),
    ("sdf-8b", "StructureDefinition.snapshot", at_top(one("element", drop("base")))),
    ("sdf-16", "StructureDefinition", at_top(one("snapshot", one("element", drop("id"))))),
    ("sdf-17", "StructureDefinition", at_top(one("differential", one("element", drop("id"))))),
    ("sdf-20", "StructureDefinition.differential", at_top(one("element", put(slicing={"discriminator": [{"type": "value", "path": "url"}],
                                                                                     "rules": "open"})))),
    ("sdf-23", "StructureDefinition", at_top(one("snapshot", one("element", put(sliceName="a"))))),
    ("smp-1", "StructureMap.group.rule.target", drop("context")),
    ("smp-2", "StructureMap.group.rule.target", drop("contextType")),
    ("tcp-3", "TerminologyCapabilities", when(is_type("kind", "instance"), drop("implementation"))),
    ("tst-1", "TestScript.setup.action", drop("operation", "assert")),
    ("tst-2", "TestScript.test.action", drop("operation", "assert")),
    ("tst-3", "TestScript.variable", lambda o: "" if not o.update(expression="a", headerField="a", path="a") else None),
    ("inv-2", "TestReport.test.action", drop("operation", "assert")),
    ("vsd-1", "ValueSet.compose.include", lambda o: None if "concept" in o or "filter" in o or "valueSet" in o else drop("system")(o)),
    ("vsd-2", "ValueSet.compose.include", when(lambda o: "concept" in o or "filter" in o,
                                               both(put(valueSet=["http://example.org/ValueSet/a"]), drop("system")))),
    ("vsd-3", "ValueSet.compose.include", with_("concept", filter=[{"property": "a", "op": "=", "value": "a"}])),
    ("vsd-6", "ValueSet.expansion.contains", lambda o: drop("code", "display", least=2)(o)),
    ("vsd-9", "ValueSet.expansion.contains", when(lambda o: not o.get("abstract") and "display" in o, drop("code"))),
    ("vsd-10", "ValueSet.expansion.contains", drop("system")),
]


# --- Bundles: their invariants, and what the specification says of entries besides ---


def first_entry(change):
    return one("entry", change)


def bundle(*kinds):
    return lambda o: o.get("type") in kinds and bool(o.get("entry"))


WRITES = ("transaction", "batch")
PUT = {"method": "GET", "url": "Patient"}

BUNDLES = [
    ("bdl-1", when(bundle("collection", "transaction", "document", "batch", "message"), put(total=1))),
    ("bdl-2", when(bundle("collection", "transaction", "document", "batch", "message"), at_top(first_entry(put(search={"mode": "match"}))))),
    ("bdl-3", when(bundle("transaction", "batch"), at_top(first_entry(drop("request"))))),
    ("bdl-3", when(bundle("collection", "document", "searchset", "message"), at_top(first_entry(put(request=PUT))))),
    ("bdl-4", when(bundle("collection", "document", "searchset", "message", "transaction"),
                   at_top(first_entry(put(response={"status": "200"}))))),
    ("bdl-4", when(bundle("transaction-response", "batch-response"), at_top(first_entry(drop("response"))))),
    ("bdl-5", when(bundle("collection", "searchset"), first_entry(lambda o: drop("resource")(o) if "fullUrl" in o else None))),
    ("bdl-7", when(bundle("collection", "transaction", "document", "message", "searchset"),
                   lambda o: twice("entry", "fullUrl")(o))),
    ("bdl-8", when(bundle("collection", "searchset", "transaction", "document"),
                   first_entry(lambda o: None if not str(o.get("fullUrl", "")).startswith("http") else
                               "" if not o.update(fullUrl=o["fullUrl"] + "/_history/1") else None))),
    ("bdl-9", when(bundle("document"), drop("identifier"))),
    ("bdl-9", when(bundle("document"), at_top(one("identifier", drop("value"))))),
    ("bdl-10", when(bundle("document"), drop("timestamp"))),
    ("bdl-11", when(bundle("document"), lambda o: "" if len(o["entry"]) > 1 and not o["entry"].reverse() else None)),
    ("bdl-12", when(bundle("message"), lambda o: "" if len(o["entry"]) > 1 and not o["entry"].reverse() else None)),
]
