"""A mock EHR that reports every commit, and misbehaves on purpose: part of the oracle of relay.py.

It takes transactions of conditional updates and searches by identifier, as a server without any locking would: between looking
for an identity and creating it there is time for another request to do the same (reliability, finding 2). What it holds, in which
order it came, and whether two requests for one identity were ever under way at once, it remembers for the judge.
"""
import http.server
import json
import random
import socketserver
import ssl
import threading
import time
import urllib.parse

FAULTS = ("close-before", "close-after", "cut", "503", "429", "500-after", "html-after", "slow", "empty-after", "wrong-count")


class Ehr:
    def __init__(self, certificate, key, seed, rate):
        self.chance, self.rate, self.lock = random.Random(seed), rate, threading.Lock()
        self.identities, self.resources = {}, {}  # (type, system|value) -> [id]; id -> [version]
        self.commits = []                         # (type, identity, resource) in their order
        self.active, self.collisions = set(), []
        self.requests, self.injected = 0, {}
        self.number = 0
        handler = type("Bound", (Handler,), {"ehr": self})
        self.server = Server(("127.0.0.1", 0), handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.base = f"https://127.0.0.1:{self.server.server_address[1]}/fhir"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

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

    def begin(self, identities):
        with self.lock:
            self.collisions += [identity for identity in identities if identity in self.active]
            self.active.update(identities)

    def end(self, identities):
        with self.lock:
            self.active.difference_update(identities)

    def put(self, kind, identity, resource):
        """A conditional update, racing with itself."""
        found = list(self.identities.get((kind, identity), []))
        time.sleep(self.some(0.002))
        with self.lock:
            if not found:
                self.number += 1
                found = [f"{kind}/{self.number}"]
                self.identities.setdefault((kind, identity), []).append(found[0])
            self.resources.setdefault(found[0], []).append(resource)
            self.commits.append((kind, identity, resource))
            return found[0], len(self.resources[found[0]])

    def transaction(self, bundle):
        entries = bundle["entry"]
        wanted = []
        for entry in entries:
            kind, _, query = entry["request"]["url"].partition("?")
            if query:
                identity = next(iter(urllib.parse.parse_qs(query).values()))[0]
            else:
                kind, _, _ = kind.partition("/")
                identity = own_identity(entry["resource"])
            wanted.append((kind, identity))
        self.begin(wanted)
        try:
            answers = []
            for (kind, identity), entry in zip(wanted, entries):
                place, version = self.put(kind, identity, entry["resource"])
                answers.append({"response": {"status": "201" if version == 1 else "200", "etag": f'W/"{version}"',
                                             "location": f"{place}/_history/{version}"}})
            return {"resourceType": "Bundle", "type": "transaction-response", "entry": answers}
        finally:
            self.end(wanted)

    def search(self, kind, query):
        identity = next(iter(urllib.parse.parse_qs(query).values()))[0]
        found = self.identities.get((kind, identity), [])
        entries = []
        for place in found:
            resource = dict(self.resources[place][-1], id=place.partition("/")[2],
                            meta={**self.resources[place][-1].get("meta", {}), "versionId": str(len(self.resources[place]))})
            entries.append({"fullUrl": f"{self.base}/{place}", "resource": resource})
        return {"resourceType": "Bundle", "type": "searchset", "total": len(entries), "entry": entries}


def own_identity(resource):
    pairs = resource.get("identifier", [])
    pairs = pairs if isinstance(pairs, list) else [pairs]
    if pairs and pairs[-1].get("system", "").endswith("/record"):
        return f'{pairs[-1]["system"]}|{pairs[-1]["value"]}'
    for tag in resource.get("meta", {}).get("tag", []):
        if tag.get("system", "").endswith("/record"):
            return f'{tag["system"]}|{tag["code"]}'
    return None


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
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Type", "application/fhir+json" if data[:1] != b"<" else "text/html")
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data if cut is None else data[:cut])
        if cut is not None:
            self.drop()

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
            versions = self.ehr.resources.get(kind)
            return self.answer(200, dict(versions[-1], id=kind.partition("/")[2])) if versions else self.answer(404, {})
        self.answer(200, self.ehr.search(kind, query))

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        fault = self.ehr.fault(FAULTS)
        if fault == "close-before":
            return self.drop()
        if fault in ("503", "429"):
            return self.answer(int(fault), {"resourceType": "OperationOutcome"}, [("Retry-After", "1")] if fault == "429" else [])
        if fault == "slow":
            time.sleep(self.ehr.some(0.5))
        answer = self.ehr.transaction(json.loads(body))
        if fault == "close-after":
            return self.drop()
        if fault == "cut":
            data = json.dumps(answer).encode()
            return self.answer(200, data, cut=int(self.ehr.some(len(data))))
        if fault == "500-after":
            return self.answer(500, {"resourceType": "OperationOutcome"})
        if fault == "html-after":
            return self.answer(200, b"<html><body>It works!</body></html>")
        if fault == "empty-after":
            return self.answer(200, b"")
        if fault == "wrong-count":
            answer["entry"] = answer["entry"][:-1]
        return self.answer(200, answer)
