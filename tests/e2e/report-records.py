#!/usr/bin/env python3
"""Records that are hard to draw, written to a folder: few readings and many, all at once and over days, values at the edge,
events outside the session, texts that attack the page or do not fit. They conform to their model."""
import copy
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORD = "W" * 400  # cannot be broken
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)> \"'&amp; \u202edefeR\u202c \u0645\u0631\u062d\u0628\u0627 \u65e5\u672c\u8a9e \U0001f600 "


def at(minutes, day="2026-03-11", offset="-05:00"):
    return f"{day}T{9 + minutes // 60:02d}:{minutes % 60:02d}:00{offset}"


def base(name):
    record = json.loads((ROOT / "fixtures/clinic/iv-trd/record.json").read_text())
    record["session"]["id"] = f"S-{name}"
    return record


def vital(number, when, **values):
    values.setdefault("systolic", 120)
    values.setdefault("diastolic", 80)
    return {"id": f"V{number}", "at": when, "by": "N1", "spo2": 98, **values}


def one_reading():
    record = base("one-reading")
    for part in ("doses", "waste", "adverseEvents", "assessments", "scales", "psychotherapy", "followUp", "procedures", "screen", "order"):
        record.pop(part, None)
    record["session"].update(start=at(30), stop=at(50))
    record["discharge"] = {"at": at(50), "by": "K1", "ready": True, "vitalsAcceptable": True, "disposition": "home"}
    record["vitals"] = [vital(1, at(40), heartRate=70, respiratoryRate=14)]
    record.pop("notes")
    return record


def no_vitals():
    record = base("no-vitals")
    record["vitals"] = [{"id": "V1", "at": at(40), "by": "N1", "spo2Absent": "not-performed"}]
    return record


def many_readings():
    record = base("many-readings")
    record["vitals"] = [
        vital(i, at(i), systolic=120 + i * 7 % 41, diastolic=70 + i * 5 % 23, heartRate=60 + i * 11 % 37,
              respiratoryRate=10 + i * 3 % 9, spo2=92 + i % 9) for i in range(500)]
    record["session"]["stop"] = at(520)
    record["discharge"]["at"] = at(510)
    return record


def same_minute():
    record = base("same-minute")
    record["vitals"] = [vital(i, at(75), systolic=110 + 9 * i, diastolic=60 + 5 * i, heartRate=60 + 3 * i, respiratoryRate=12 + i)
                        for i in range(9)]
    return record


def at_the_edge():
    record = base("at-the-edge")
    record["vitals"] = [
        vital(1, at(40), systolic=0, diastolic=0, heartRate=0, respiratoryRate=0, spo2=0),
        vital(2, at(80), systolic=300.05, diastolic=0.5, heartRate=9999, respiratoryRate=200, spo2=100),
        vital(3, at(90), systolic=99999999, diastolic=80, heartRate=999999999, respiratoryRate=14, spo2=99.95),
        {"id": "V4", "at": at(100), "by": "N1", "systolicAbsent": "error", "diastolic": 70, "spo2Absent": "unknown"}]
    return record


def several_days():
    record = json.loads((ROOT / "fixtures/clinic/troche-at-home/record.json").read_text())
    record["session"].update(id="S-several-days", start="2026-03-28T19:00:00-05:00", stop="2026-04-02T20:30:00-05:00")
    dose, reading = record["doses"][0], record["vitals"][0]
    record["doses"] = [{**copy.deepcopy(dose), "id": f"A{i}", "start": f"2026-03-{28 + i}T19:05:00-05:00", "stop": f"2026-03-{28 + i}T19:25:00-05:00"}
                       for i in range(4)]
    record["vitals"] = [{**reading, "id": f"V{i}", "at": f"2026-03-{28 + i}T20:00:00-05:00"} for i in range(4)]
    record["adverseEvents"] = [{**event, "dose": "A0", "onset": "2026-03-28T19:30:00-05:00", "end": "2026-03-28T21:00:00-05:00"} for event in record.get("adverseEvents", [])]
    record.pop("waste", None)
    return record


def overnight():
    record = base("overnight")
    record["session"].update(start="2026-03-10T21:30:00-05:00", stop="2026-03-11T12:25:00-05:00")
    record["vitals"] += [vital(f"9{i}", f"2026-03-10T2{i}:45:00-05:00") for i in range(1, 4)]
    record["vitals"] += [vital("99", "2026-03-11T06:30:00-06:00")]
    return record


def crowd():
    record = base("crowd")
    event, medicine = record["adverseEvents"][0], {"name": "ondansetron", "givenMg": 4, "route": "iv", "by": "N1", "purpose": "rescue"}
    severities = ["mild", "moderate", "severe"]
    record["adverseEvents"] = [{**event, "id": f"E{i}", "onset": at(60 + i), "end": at(65 + 2 * i), "severity": severities[i % 3]}
                               for i in range(70)]
    record["adverseEvents"][3].pop("end")
    record["adverseEvents"][4].update(outcome="ongoing")
    record["adverseEvents"][4].pop("end")
    record["adverseEvents"][5].update(onset="2026-03-13T08:00:00-05:00", end="2026-03-13T09:00:00-05:00")
    record["adverseEvents"][6].update(onset="2026-03-10T18:00:00-05:00", end="2026-03-10T19:00:00-05:00")
    record["adverseEvents"][7].update(onset=at(70), end="2026-03-15T09:00:00-05:00")
    record["supportMedications"] = [{**medicine, "id": f"M{i}", "start": at(70 + i // 3)} for i in range(12)]
    record["supportMedications"].append({"id": "M90", "name": "oxygen", "flowLPerMin": 2.0, "start": at(80), "by": "N1"})
    record["doses"][0]["interruptions"] = [{"id": f"IN{i}", "start": at(64 + 6 * i), "stop": at(65 + 6 * i), "reason": "nausea", "by": "N1"}
                                           for i in range(6)]
    return record


def hostile():
    record = base("hostile")
    text = HOSTILE + WORD
    record["patient"]["family"] = text
    record["clinic"]["name"] = text
    record["staff"][0]["given"] = text
    record["patient"]["contacts"][0]["name"] = text
    record["order"]["text"] = text
    record["products"][0]["lot"] = HOSTILE + "LOT"
    record["doses"][0]["site"] = text
    record["assessments"][0]["text"] = text
    record["adverseEvents"][0].update(text=text, action=text, event="x" * 200)
    record["adverseEvents"][1].update(event="\u0645\u0631\u062d\u0628\u0627 \u65e5\u672c\u8a9e \ufdfd\ufdfd <b> \u202ex")
    record["supportMedications"] = [{"id": "M1", "name": text, "givenMg": 1, "start": at(70), "by": "N1"},
                                    {"id": "M2", "name": "\u65e5\u672c\u8a9e" * 30, "givenMg": 1, "start": at(200), "by": "N1"}]
    record["notes"][0]["text"] = "first line\n\nthird line\t" + text
    record["discharge"]["instructions"] = text
    record["experience"] = [{"id": "X1", "at": at(200), "text": text}]
    return record


def main():
    folder = pathlib.Path(sys.argv[1])
    for make in (one_reading, no_vitals, many_readings, same_minute, at_the_edge, several_days, overnight, crowd, hostile):
        name = make.__name__.replace("_", "-")
        (folder / f"{name}.json").write_text(json.dumps(make(), ensure_ascii=True, indent=1))


main()
