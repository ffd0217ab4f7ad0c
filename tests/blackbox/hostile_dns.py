"""A DNS server whose answers are Python: for the real client.

    with HostileDns(answer) as dns: ... dns.address ...

answer(name, kind, number) gives the bytes behind the question: a Reply, or
None for silence.  kind is "A" or "AAAA"; number counts that kind's questions.
"""

import collections
import socket
import struct
import threading
import time

A, CNAME, AAAA = 1, 5, 28
NOERROR, SERVFAIL, NXDOMAIN = 0, 2, 3

Reply = collections.namedtuple("Reply", "records code delay",
                               defaults=((), NOERROR, 0))


def encode(name):
    return b"".join(bytes([len(part)]) + part.encode()
                    for part in name.split(".") if part) + b"\0"


def address(text, ttl=60, owner=b"\xc0\x0c"):
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    raw = socket.inet_pton(family, text)
    kind = AAAA if ":" in text else A
    return owner + struct.pack(">HHIH", kind, 1, ttl, len(raw)) + raw


def alias(owner, to, ttl=60):
    raw = encode(to)
    return encode(owner) + struct.pack(">HHIH", CNAME, 1, ttl,
                                       len(raw)) + raw


class HostileDns:
    def __init__(self, answer):
        self.answer = answer
        self.is_over = False
        while True:  # a port that is free for both
            self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.udp.bind(("127.0.0.1", 0))
            self.port = self.udp.getsockname()[1]
            try:
                self.tcp = socket.create_server(("127.0.0.1", self.port))
                break
            except OSError:
                self.udp.close()
        self.udp.settimeout(0.2)
        self.address = f"127.0.0.1:{self.port}"
        self.asked = collections.Counter()
        self.threads = [threading.Thread(target=f, daemon=True)
                        for f in (self._serve_udp, self._serve_tcp)]
        for thread in self.threads:
            thread.start()

    def _reply(self, query, is_tcp):
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        question = query[12:at + 5]
        kind = {A: "A", AAAA: "AAAA"}.get(
            struct.unpack(">H", query[at + 1:at + 3])[0])
        name = ".".join(labels)
        number = self.asked[kind]
        self.asked[kind] += 1
        reply = self.answer(name, kind, number)
        if reply is None:
            return None
        time.sleep(reply.delay)
        flags = 0x8180 | reply.code
        body = b"".join(reply.records)
        count = len(reply.records)
        if not is_tcp and len(body) > 1100:
            flags, body, count = flags | 0x0200, b"", 0  # truncated
        return query[:2] + struct.pack(">HHHHH", flags, 1, count, 0,
                                       0) + question + body

    def _serve_udp(self):
        while not self.is_over:
            try:
                query, peer = self.udp.recvfrom(4096)
            except TimeoutError:
                continue
            except OSError:
                return
            threading.Thread(target=self._answer_udp, args=(query, peer),
                             daemon=True).start()

    def _answer_udp(self, query, peer):
        reply = self._reply(query, False)
        try:
            if reply is not None:
                self.udp.sendto(reply, peer)
        except OSError:
            pass

    def _serve_tcp(self):
        while True:
            try:
                sock, _ = self.tcp.accept()
            except OSError:
                return
            threading.Thread(target=self._answer_tcp, args=(sock,),
                             daemon=True).start()

    def _answer_tcp(self, sock):
        try:
            with sock:
                while head := sock.recv(2, socket.MSG_WAITALL):
                    query = sock.recv(struct.unpack(">H", head)[0],
                                      socket.MSG_WAITALL)
                    reply = self._reply(query, True)
                    if reply is None:
                        time.sleep(30)
                        return
                    sock.sendall(struct.pack(">H", len(reply)) + reply)
        except OSError:
            pass

    def close(self):
        self.is_over = True
        try:
            self.tcp.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        for thread in self.threads:
            thread.join()
        self.udp.close()
        self.tcp.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
