"""Stands between skep and a mock, and keeps what was asked.

    with Recorder(mock.url) as recorder:
        ... recorder.url ...
    recorder.bodies    # the bytes of every request, as they came
"""

import http.client
import http.server
import json
import threading
import urllib.parse


class Recorder:
    def __init__(self, url):
        target = urllib.parse.urlsplit(url)
        self.bodies, self.lock = [], threading.Lock()
        recorder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *args):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                with recorder.lock:
                    recorder.bodies.append(body)
                upstream = http.client.HTTPConnection(target.netloc)
                upstream.request("POST", self.path, body, {
                    "content-type": "application/json"})
                answer = upstream.getresponse()
                content = answer.read()
                self.send_response(answer.status)
                self.send_header("content-type",
                                 answer.headers["content-type"])
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
                upstream.close()

        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 512
            daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = (f"http://127.0.0.1:{self.server.server_port}"
                    f"{target.path}")

    def requests(self):
        return [json.loads(body) for body in self.bodies]

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever,
                         kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
