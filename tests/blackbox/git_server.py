"""Real repositories over smart HTTP: `git http-backend` as a CGI program
behind a small server of our own, on the loopback."""

import base64
import http.server
import os
import socket
import subprocess
import threading

ENV = {"PATH": os.environ["PATH"], "HOME": "/nonexistent",
       "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "a",
       "GIT_AUTHOR_EMAIL": "a@example.org", "GIT_COMMITTER_NAME": "a",
       "GIT_COMMITTER_EMAIL": "a@example.org",
       "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z",
       "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z"}


def git(folder, *args):
    done = subprocess.run(["git", "-C", folder, "-c", "safe.directory=*",
                           *args], env=ENV, check=True, capture_output=True)
    return done.stdout.decode().strip()


class Server:
    """Serves root; wants password for user "bot" when one is given."""

    def __init__(self, root, password=None, break_at=None):
        self.requests, server = [], self
        self.root, self.password, self.break_at = root, password, break_at

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                server.answer(self)

            do_POST = do_GET

            def log_message(self, *args):
                pass

        self.httpd = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), Handler)
        self.httpd.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.httpd.server_port}"
        self.thread = threading.Thread(target=self.httpd.serve_forever)
        self.thread.start()

    def answer(self, handler):
        path, _, query = handler.path.partition("?")
        body = handler.rfile.read(int(handler.headers.get(
            "content-length") or 0))
        self.requests.append((handler.command, handler.path,
                              dict(handler.headers), body))
        if self.password is not None:
            wanted = "Basic " + base64.b64encode(
                f"bot:{self.password}".encode()).decode()
            if handler.headers.get("authorization") != wanted:
                return self.say(handler, 401, b"no", "text/plain")
        if self.break_at == handler.command:
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)
            return None
        done = subprocess.run(["git", "http-backend"], input=body, env=ENV | {
            "GIT_PROJECT_ROOT": str(self.root), "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path, "QUERY_STRING": query,
            "REQUEST_METHOD": handler.command,
            "CONTENT_TYPE": handler.headers.get("content-type") or "",
            "GIT_PROTOCOL": handler.headers.get("git-protocol") or "",
            "REMOTE_ADDR": "127.0.0.1", "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*",
        }, capture_output=True)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1)
                      for line in head.decode().split("\r\n") if line)
        status = int(fields.pop("Status", "200").split()[0])
        self.say(handler, status, content,
                 fields.get("Content-Type", "text/plain"))

    @staticmethod
    def say(handler, status, content, kind):
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    def close(self):
        self.httpd.shutdown()
        self.httpd.server_close()
        self.thread.join()
