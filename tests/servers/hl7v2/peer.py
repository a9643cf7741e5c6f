#!/usr/bin/python3
"""The package hl7 (Debian python3-hl7) as a peer: send PORT FILE…, listen READY-FILE [--tls CA CERTIFICATE KEY], both sides with
certificates. In clear its MLLPClient sends; with TLS its asyncio streams, which take a context. Exit status 77: it is not installed."""
import argparse
import asyncio
import os
import ssl
import sys

try:
    import hl7
    import hl7.mllp
    from hl7.client import MLLPClient
except ImportError:
    print("skipped: python3-hl7 is not installed", file=sys.stderr)
    sys.exit(77)


def context(files, server):
    if not files:
        return None
    authority, certificate, key = files
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH if server else ssl.Purpose.SERVER_AUTH, cafile=authority)
    made.load_cert_chain(certificate, key)
    if server:
        made.verify_mode = ssl.CERT_REQUIRED
    return made


def read(file):
    with open(file, encoding="utf-8", newline="") as opened:
        return hl7.parse(opened.read().replace("\n", "\r"))


def told(message, answer):
    print(message["MSH.F10"], answer["MSA.F1"], answer["MSA.F2"], flush=True)


def send_plain(port, messages):
    with MLLPClient("127.0.0.1", port) as client:
        client.socket.settimeout(20)
        for message in messages:
            answer = client.send_message(message)
            told(message, hl7.parse(answer.strip(b"\x0b\x1c\r").decode()))


async def send_secured(port, messages, secured):
    reader, writer = await hl7.mllp.open_hl7_connection("localhost", port, ssl=secured, encoding="utf-8")
    for message in messages:
        writer.writemessage(message)
        await writer.drain()
        told(message, await asyncio.wait_for(reader.readmessage(), 20))
    writer.close()


async def serve(reader, writer):
    try:
        while True:
            message = await reader.readmessage()
            print(message["MSH.F10"], message["MSH.F9.R1.C1"], message["MSH.F9.R1.C2"], flush=True)
            writer.writemessage(message.create_ack())
            await writer.drain()
    except asyncio.IncompleteReadError:
        writer.close()


async def listen(ready, secured):
    server = await hl7.mllp.start_hl7_server(serve, host="127.0.0.1", port=0, ssl=secured, encoding="utf-8")
    with open(f"{ready}.part", "w", encoding="ascii") as file:
        print(server.sockets[0].getsockname()[1], file=file)
    os.replace(f"{ready}.part", ready)
    await server.serve_forever()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["send", "listen"])
    parser.add_argument("where")
    parser.add_argument("files", nargs="*")
    parser.add_argument("--tls", nargs=3)
    line = parser.parse_args()
    secured = context(line.tls, line.what == "listen")
    messages = [read(file) for file in line.files]
    if line.what == "listen":
        asyncio.run(listen(line.where, secured))
    elif secured:
        asyncio.run(send_secured(int(line.where), messages, secured))
    else:
        send_plain(int(line.where), messages)


if __name__ == "__main__":
    main()
