"""A mock EHR that reports every commit, and misbehaves on purpose: part of the oracle of relay.py.

It takes transactions and batches of conditional updates and creates, single requests, and searches by identifier, as a server
without any locking would: between looking for an identity and creating it there is time for another request to do the same
(reliability, finding 2). What it holds, in which order it came, and whether two writes of one identity were ever under way at once,
it remembers for the judge.
"""
import collections
import contextlib
import http.server
import json
import random
import socketserver
import ssl
import threading
import time
import urllib.parse

import bed

FAULTS = ("close-before", "close-after", "late", "cut", "503", "429", "500-after", "503-after", "503-late", "408-after", "html-after",
          "slow", "empty-after", "wrong-count")


class Ehr:
    def __init__(self, certificate, key, seed, rate, port=0):
        self.chance, self.rate, self.lock = random.Random(seed), rate, threading.Lock()
        self.resources, self.index = {}, {}   # "Type/id" -> [version]; (type, parameter, value) -> ["Type/id"]
        self.commits = []                     # (type, identity, resource) in their order
        self.arrived = {}                     # (type, identity) -> time of its first commit
        self.active, self.collisions = set(), []
        self.requests, self.injected, self.number = 0, {}, 0
        self.refuse = None                    # resource -> whether it is refused with 422
        self.forbid = None                    # text of a write -> whether something before the server answers 403
        self.cuts = collections.deque()       # of every third answer to a write only so many bytes arrive
        self.busy = 0                         # the next write is answered with 429 and Retry-After so many seconds
        self.stall = 0                        # seconds that each write waits before it is looked at
        self.gate = threading.Event()         # and until this is set
        self.gate.set()
        self.posts = []                       # arrivals of writes
        self.dated = False                    # its answers say when they were made
        self.pads = collections.deque()       # to how many bytes the answers to the next writes are made longer
        self.certificate, self.key = certificate, key
        self.held, self.port = bed.hold_port(port)  # while nobody listens too
        self.start()

    def start(self):
        self.server = Server(("127.0.0.1", self.port), type("Bound", (Handler,), {"ehr": self}))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        context.set_alpn_protocols(["h2", "http/1.1"])  # who offers the first of them is not understood
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.base = f"https://127.0.0.1:{self.port}/fhir"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        """Nobody listens any more; what it holds stays."""
        self.server.shutdown()
        self.server.server_close()

    def fault(self, choices):
        with self.lock:
            self.requests += 1
            if self.chance.random() >= self.rate:
                return None
            fault = self.chance.choice(choices)
            self.injected[fault] = self.injected.get(fault, 0) + 1
            return fault

    def some(self, most):
        with self.lock:
            return self.chance.random() * most

    @contextlib.contextmanager
    def under_way(self, identities):
        with self.lock:
            self.collisions += [identity for identity in identities if identity in self.active]
            self.active.update(identities)
        try:
            yield
        finally:
            with self.lock:
                self.active.difference_update(identities)

    # --- what it holds ---

    def find(self, kind, query):
        parameter, value = urllib.parse.parse_qsl(query)[0]
        return list(self.index.get((kind, parameter, value), []))

    def store(self, place, resource):
        kind = resource["resourceType"]
        with self.lock:
            if place is None:
                self.number += 1
                place = f"{kind}/{self.number}"
                for key in keys_of(resource):
                    self.index.setdefault((kind, *key), []).append(place)
            self.resources.setdefault(place, []).append(resource)
            identity = own_identity(resource)
            self.commits.append((kind, identity, resource))
            self.arrived.setdefault((kind, identity), time.monotonic())
            return place, len(self.resources[place])

    def write(self, request, resource):
        """One PUT or POST, conditional or not, racing with others -> the answer of its entry."""
        if self.refuse and self.refuse(resource):
            return {"status": "422", "outcome": {"resourceType": "OperationOutcome"}}
        kind, _, query = request["url"].partition("?")
        query = query or request.get("ifNoneExist", "").lstrip("?")
        found = self.find(kind, query) if query else [kind] if "/" in kind else []
        time.sleep(self.some(0.002))
        if len(found) > 1:
            return {"status": "412"}
        if found and request["method"] == "POST":
            versions = self.resources[found[0]]
            return {"status": "200", "etag": f'W/"{len(versions)}"', "location": f"{found[0]}/_history/{len(versions)}"}
        place, version = self.store(found[0] if found else None, resource)
        return {"status": "201" if version == 1 else "200", "etag": f'W/"{version}"', "location": f"{place}/_history/{version}"}

    def bundle(self, bundle):
        if bundle["type"] == "transaction" and self.refuse and any(self.refuse(e["resource"]) for e in bundle["entry"]):
            return None
        answers = [{"response": self.write(entry["request"], entry["resource"])} for entry in bundle["entry"]]
        return {"resourceType": "Bundle", "type": f'{bundle["type"]}-response', "entry": answers}

    def search(self, kind, query):
        entries = []
        for place in self.find(kind, query):
            entries.append({"fullUrl": f"{self.base}/{place}", "resource": self.read(place)})
        return {"resourceType": "Bundle", "type": "searchset", "total": len(entries), "entry": entries}

    def read(self, place):
        versions = self.resources[place]
        return dict(versions[-1], id=place.partition("/")[2], meta={**versions[-1].get("meta", {}), "versionId": str(len(versions))})

    # --- for the judge ---

    def identities(self):
        """(type, identity) -> places: more than one is a double."""
        with self.lock:
            held = [(place, versions[0]) for place, versions in self.resources.items()]
        found = {}
        for place, resource in held:
            found.setdefault((resource["resourceType"], own_identity(resource)), []).append(place)
        return found


def pairs_of(resource):
    pairs = resource.get("identifier", [])
    return pairs if isinstance(pairs, list) else [pairs]


def keys_of(resource):
    keys = [("identifier", f'{pair.get("system", "")}|{pair.get("value", "")}') for pair in pairs_of(resource)]
    return keys + [("_tag", f'{tag.get("system", "")}|{tag.get("code", "")}') for tag in resource.get("meta", {}).get("tag", [])]


def own_identity(resource):
    """What ketlink knows it by."""
    for parameter, value in keys_of(resource):
        if value.partition("|")[0].endswith("/record"):
            return value
    return None


def identities_of(body):
    resources = [entry["resource"] for entry in body["entry"]] if body["resourceType"] == "Bundle" else [body]
    return [(resource["resourceType"], own_identity(resource)) for resource in resources]


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256

    def handle_error(self, request, client_address):
        pass  # clients that go away are what this is for


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    ehr = None

    def log_message(self, *arguments):
        pass

    def answer(self, status, body, headers=(), cut=None):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        if self.command != "GET" and self.ehr.pads:
            data += b" " * (self.ehr.pads.popleft() - len(data))
        lines = [f"HTTP/1.1 {status} Status", f"Content-Length: {len(data)}",
                 "Content-Type: " + ("text/html" if data[:1] == b"<" else "application/fhir+json"),
                 *([f"Date: {self.date_time_string()}"] if self.ehr.dated else []),
                 *(f"{name}: {value}" for name, value in headers), "", ""]
        whole = "\r\n".join(lines).encode() + data
        self.wfile.write(whole if cut is None else whole[:cut])
        if cut is not None:
            self.drop()
        return len(whole)

    def drop(self):
        self.close_connection = True
        self.wfile.flush()
        self.connection.close()

    def do_GET(self):
        fault = self.ehr.fault(("close-before", "503", "slow"))
        path, _, query = self.path.partition("?")
        kind = path.removeprefix("/fhir/")
        if fault == "close-before":
            return self.drop()
        if fault == "503":
            return self.answer(503, {"resourceType": "OperationOutcome"})
        if fault == "slow":
            time.sleep(self.ehr.some(0.3))
        if not query and "/" in kind:
            return self.answer(200, self.ehr.read(kind)) if kind in self.ehr.resources else self.answer(404, {})
        return self.answer(200, self.ehr.search(kind, query))

    def take(self, body):
        """-> status, body, headers"""
        if body["resourceType"] == "Bundle":
            answer = self.ehr.bundle(body)
            return (200, answer, []) if answer else (422, {"resourceType": "OperationOutcome"}, [])
        request = {"method": self.command, "url": self.path.removeprefix("/fhir/")}
        if self.headers.get("If-None-Exist"):
            request["ifNoneExist"] = self.headers["If-None-Exist"]
        done = self.ehr.write(request, body)
        headers = [("Location", f'{self.ehr.base}/{done["location"]}'), ("ETag", done["etag"])] if "location" in done else []
        return int(done["status"]), done.get("outcome", b""), headers

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.ehr.lock:
            self.ehr.posts.append(time.monotonic())
            cut = self.ehr.cuts.popleft() if self.ehr.cuts and len(self.ehr.posts) % 3 == 0 else None
            busy, self.ehr.busy = self.ehr.busy, 0
        if busy:
            return self.answer(429, {"resourceType": "OperationOutcome"}, [("Retry-After", str(busy))])
        if self.ehr.forbid and self.ehr.forbid(body):
            return self.answer(403, b"<html>Request blocked</html>")
        fault = self.ehr.fault(FAULTS)
        if fault == "close-before":
            return self.drop()
        if fault in ("503", "429"):
            return self.answer(int(fault), {"resourceType": "OperationOutcome"}, [("Retry-After", "1")] if fault == "429" else [])
        if fault == "late":  # the connection is lost, and the work goes on
            self.drop()
        if fault == "503-late":  # so says a proxy when the server behind it is too slow, or broke off
            self.answer(503, b"upstream connect error or disconnect/reset before headers")
        body = json.loads(body)
        with self.ehr.under_way(identities_of(body)):
            time.sleep(self.ehr.stall + (self.ehr.some(0.5) if fault in ("slow", "late", "503-late") else 0))
            self.ehr.gate.wait()
            status, answer, headers = self.take(body)
        if fault in ("late", "503-late"):
            return None
        if fault == "close-after":
            return self.drop()
        if fault == "cut":
            cut = int(self.ehr.some(200 + len(json.dumps(answer)) if answer else 0))
        if fault in ("500-after", "503-after", "408-after"):
            return self.answer(int(fault[:3]), {"resourceType": "OperationOutcome"})
        if fault == "html-after":
            return self.answer(200, b"<html><body>It works!</body></html>")
        if fault == "empty-after":
            return self.answer(200, b"")
        if fault == "wrong-count" and answer and answer.get("entry"):
            answer["entry"] = answer["entry"][:-1]
        return self.answer(status, answer, headers, cut)

    do_PUT = do_POST
