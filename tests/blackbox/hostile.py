"""Small servers that misbehave, for the real client over a real socket.

    with Hostile(play) as server: ... server.url ...

`play(conn)` is called in a thread of its own for each connection, with a
Conn; what it does not do is not done: no answer, no close, no manners.
"""

import json
import pathlib
import socket
import ssl
import struct
import subprocess
import threading


class Conn:
    """One accepted connection: the socket and a few verbs."""

    def __init__(self, sock, number):
        self.sock = sock
        self.number = number  # 0 for the server's first connection
        self.kept = b""

    def send(self, data):
        self.sock.sendall(data.encode() if isinstance(data, str) else data)

    def read_request(self):
        """(head text, body bytes) of one request, or None at the end."""
        while b"\r\n\r\n" not in self.kept:
            if not self._more():
                return None
        head, _, self.kept = self.kept.partition(b"\r\n\r\n")
        text = head.decode("latin-1")
        fields = dict((k.strip().lower(), v.strip()) for k, _, v in
                      (line.partition(":") for line in text.split("\r\n")[1:]))
        if fields.get("transfer-encoding") == "chunked":
            return text, self._chunked()
        while len(self.kept) < int(fields.get("content-length", 0)):
            if not self._more():
                return None
        n = int(fields.get("content-length", 0))
        body, self.kept = self.kept[:n], self.kept[n:]
        return text, body

    def _chunked(self):
        body = b""
        while True:
            while b"\r\n" not in self.kept:
                if not self._more():
                    return body
            size, _, self.kept = self.kept.partition(b"\r\n")
            n = int(size.split(b";")[0], 16)
            while len(self.kept) < n + 2:
                if not self._more():
                    return body
            body, self.kept = body + self.kept[:n], self.kept[n + 2:]
            if n == 0:
                return body

    def _more(self):
        more = self.sock.recv(65536)
        self.kept += more
        return more

    def answer(self, status=200, body=b"", kind="application/json", **fields):
        """A well-behaved answer with a length."""
        body = body.encode() if isinstance(body, str) else body
        head = [f"HTTP/1.1 {status} X", f"content-type: {kind}",
                f"content-length: {len(body)}"]
        head += [f"{k.replace('_', '-')}: {v}" for k, v in fields.items()]
        self.send("\r\n".join(head).encode() + b"\r\n\r\n" + body)

    def stream_head(self):
        self.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
                  "transfer-encoding: chunked\r\n\r\n")

    def chunk(self, data):
        data = data.encode() if isinstance(data, str) else data
        self.send(b"%x\r\n%s\r\n" % (len(data), data))

    def event(self, **members):
        """One server-sent event of the Responses API, as a chunk."""
        self.chunk(f"event: {members['type']}\n"
                   f"data: {json.dumps(members)}\n\n")

    def end(self):
        self.send(b"0\r\n\r\n")

    def say(self, text, response_id="resp_1"):
        """A whole streamed answer of one message, as the API sends it."""
        message = {"type": "message", "id": "msg_1", "role": "assistant",
                   "status": "completed", "content": [
                       {"type": "output_text", "text": text,
                        "annotations": []}]}
        response = {"id": response_id, "object": "response",
                    "model": "scripted", "output": []}
        self.stream_head()
        self.event(type="response.created",
                   response=dict(response, status="in_progress"))
        self.event(type="response.output_item.added", output_index=0,
                   item=dict(message, status="in_progress", content=[]))
        self.event(type="response.output_text.delta", item_id="msg_1",
                   output_index=0, content_index=0, delta=text)
        self.event(type="response.output_item.done", output_index=0,
                   item=message)
        self.event(type="response.completed", response=dict(
            response, status="completed", output=[message],
            usage={"input_tokens": 1, "output_tokens": 1,
                   "total_tokens": 2}))
        self.end()

    def reset(self):
        """Close with RST instead of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             struct.pack("ii", 1, 0))
        self.sock.close()

    def wait_for_end(self):
        """Until the peer gives up."""
        try:
            while self.sock.recv(65536):
                pass
        except OSError:
            pass


class Hostile:
    def __init__(self, play, tls=None):
        """tls: an ssl.SSLContext, or None for plain TCP."""
        self.play, self.tls = play, tls
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = self.listener.getsockname()[1]
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self.port}/v1"
        self.connections = 0
        self.open = []
        self.failures = []  # of play() itself, for the test to look at
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            number, self.connections = self.connections, self.connections + 1
            self.open.append(sock)
            threading.Thread(target=self._serve, args=(sock, number),
                             daemon=True).start()

    def _serve(self, sock, number):
        try:
            if self.tls:
                sock = self.tls.wrap_socket(sock, server_side=True)
                self.open.append(sock)
            self.play(Conn(sock, number))
        except (OSError, ssl.SSLError):
            pass  # the peer went away, as it may
        except Exception as e:  # noqa: a broken test must say so
            self.failures.append(e)
        finally:
            try:
                sock.close()
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        for sock in self.open:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()
        self.thread.join()


def certificate(folder, name="server", san="DNS:localhost,IP:127.0.0.1",
                days=2, curve="prime256v1", extra=()):
    """A self-signed certificate made by openssl: (cert path, key path)."""
    folder = pathlib.Path(folder)
    cert, key = folder / f"{name}.crt", folder / f"{name}.key"
    words = ["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt",
             f"ec_paramgen_curve:{curve}", "-subj", f"/CN={name}",
             "-days", str(days), "-keyout", key, "-out", cert, *extra]
    if san:
        words += ["-addext", f"subjectAltName={san}"]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    return cert, key


def dated_certificate(folder, start, end, name="dated"):
    """A self-signed one for these dates (YYYYMMDDhhmmssZ), by openssl ca."""
    folder = pathlib.Path(folder)
    cert, key = folder / f"{name}.crt", folder / f"{name}.key"
    request = folder / f"{name}.csr"
    (folder / "index.txt").write_text("")
    (folder / "serial").write_text("01\n")
    config = folder / "ca.cnf"
    config.write_text(f"""
[ca]
default_ca = d
[d]
database = {folder}/index.txt
serial = {folder}/serial
new_certs_dir = {folder}
default_md = sha256
policy = p
x509_extensions = v
[p]
commonName = supplied
[v]
subjectAltName = DNS:localhost,IP:127.0.0.1
basicConstraints = CA:true
""")
    quiet = {"check": True, "stdout": subprocess.DEVNULL,
             "stderr": subprocess.DEVNULL}
    subprocess.run(["openssl", "req", "-new", "-nodes", "-newkey", "ec",
                    "-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj",
                    f"/CN={name}", "-keyout", key, "-out", request], **quiet)
    subprocess.run(["openssl", "ca", "-batch", "-selfsign", "-config", config,
                    "-keyfile", key, "-in", request, "-out", cert, "-notext",
                    "-startdate", start, "-enddate", end], **quiet)
    return cert, key


def chained_certificate(folder, depth):
    """(root, chain of so many below it with the server's first, key)."""
    folder = pathlib.Path(folder)
    quiet = {"check": True, "stdout": subprocess.DEVNULL,
             "stderr": subprocess.DEVNULL}
    root, key = certificate(folder, "root", san=None)
    above, chain = root, []
    for level in range(depth, 0, -1):
        request, cert = folder / "level.csr", folder / f"level{level}.crt"
        extensions = folder / "level.ext"
        extensions.write_text(
            "subjectAltName=DNS:localhost,IP:127.0.0.1\n" if level == 1
            else "basicConstraints=critical,CA:true\n")
        subprocess.run(["openssl", "req", "-new", "-key", key, "-subj",
                        f"/CN=level {level}", "-out", request], **quiet)
        subprocess.run(["openssl", "x509", "-req", "-in", request, "-CA",
                        above, "-CAkey", key, "-set_serial", str(level),
                        "-days", "2", "-extfile", extensions, "-out", cert],
                       **quiet)
        above = cert
        chain.insert(0, cert.read_text())
    whole = folder / "chain.pem"
    whole.write_text("".join(chain))
    return root, whole, key


def tls_server(cert, key, maximum=None, alpn=None):
    """An SSLContext for Hostile(tls=...)."""
    settings = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    settings.load_cert_chain(cert, key)
    if alpn:
        settings.set_alpn_protocols(alpn)
    if maximum is not None:
        settings.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        settings.maximum_version = maximum
        settings.set_ciphers("ALL:@SECLEVEL=0")
    return settings
