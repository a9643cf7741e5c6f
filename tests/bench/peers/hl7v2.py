#!/usr/bin/env python3
"""hl7v2.py FOLDER: HL7 v2 in Python, warm: hl7apy. Prints a JSON object: engine, median (`microseconds`) and least time of parsing
message.hl7 and reading all places of places.tsv, and the values, for the caller to compare."""
import json
import pathlib
import re
import statistics
import sys
import time

from hl7apy.parser import parse_message

ROUNDS = 31
folder = pathlib.Path(sys.argv[1])
text = (folder / "message.hl7").read_bytes().decode()
PLACE = re.compile(r"(\w+)(?:\[(\d+)\])?-(\d+)(?:\.(\d+))?\t")
rows = [PLACE.match(line).groups() for line in (folder / "places.tsv").read_text().splitlines() if not line.startswith("#")]
places = [(segment, int(occurrence or 1) - 1, f"{segment}_{field}".lower(), int(component or 0)) for segment, occurrence, field, component in rows]


def read():
    message = parse_message(text, find_groups=False)
    segments, values = {}, []
    for segment, at, field, component in places:
        if segment not in segments:
            segments[segment] = list(getattr(message, segment.lower()))
        node = getattr(segments[segment][at], field)
        values.append((getattr(node, f"{field}_{component}") if component else node).to_er7())
    return values


def timed():
    start = time.perf_counter_ns()
    values = read()
    return (time.perf_counter_ns() - start) / 1000, values


timed()
times, results = zip(*(timed() for _ in range(ROUNDS)))
print(json.dumps({"engine": "hl7apy", "microseconds": statistics.median(times), "least": min(times), "result": results[-1]}))
