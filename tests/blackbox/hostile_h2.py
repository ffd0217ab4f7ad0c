"""HTTP/2 frames by hand, for servers that misbehave (hostile.py).

A server that only tells requests apart by their bodies needs no HPACK: heads
are ignored as they come, and what it says itself is written without tables.
"""

import json
import struct

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, \
    WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM = ACK = 1
END_HEADERS = 4
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
STATUS_200 = b"\x88"


def field(name, value):
    """A literal field without indexing; both shorter than 127 bytes."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


SSE_HEAD = STATUS_200 + field(b"content-type", b"text/event-stream")


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(
        ">BBI", kind, flags, stream) + payload


def answer_events(text):
    """A whole streamed answer of one message, as in Conn.say()."""
    item = {"type": "message", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": text}]}
    events = [{"type": "response.output_item.done", "output_index": 0,
               "item": item},
              {"type": "response.completed", "response": {
                  "id": "r", "status": "completed", "output": [item],
                  "usage": {"input_tokens": 1, "output_tokens": 1}}}]
    return b"".join(b"data: %s\n\n" % json.dumps(e).encode() for e in events)


class H2:
    """One accepted connection (a hostile.Conn over TLS with h2 agreed)."""

    def __init__(self, conn):
        self.conn, self.kept = conn, b""
        self.bodies = {}
        self.read(len(PREFACE))
        self.send(frame(SETTINGS) +
                  frame(WINDOW_UPDATE, payload=struct.pack(">I", 1 << 30)))

    def send(self, data):
        self.conn.send(data)

    def wait_for(self, n):
        while len(self.kept) < n:
            more = self.conn.sock.recv(65536)
            if not more:
                raise ConnectionError
            self.kept += more

    def read(self, n):
        self.wait_for(n)
        data, self.kept = self.kept[:n], self.kept[n:]
        return data

    def read_frame(self):
        """(type, flags, stream, payload); a time-out loses nothing."""
        self.wait_for(9)
        n, = struct.unpack(">I", b"\0" + self.kept[:3])
        self.wait_for(9 + n)
        kind, flags, stream = struct.unpack(">BBI", self.read(9)[3:])
        return kind, flags, stream, self.read(n)

    def requests(self):
        """(stream, body) of each request, as they become whole."""
        while True:
            kind, flags, stream, payload = self.read_frame()
            if kind == SETTINGS and not flags & ACK:
                self.send(frame(SETTINGS, ACK))
            if kind == PING and not flags & ACK:
                self.send(frame(PING, ACK, 0, payload))
            if kind == HEADERS:
                self.bodies[stream] = b""
            if kind == DATA:
                self.bodies[stream] += payload
            if kind in (HEADERS, DATA) and flags & END_STREAM:
                yield stream, self.bodies.pop(stream)
            elif kind == DATA and len(self.bodies[stream]) > 60000:
                yield stream, None  # its window is used up

    def say(self, stream, text):
        self.send(frame(HEADERS, END_HEADERS, stream, SSE_HEAD) +
                  frame(DATA, END_STREAM, stream, answer_events(text)))
