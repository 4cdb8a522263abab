# SPDX-License-Identifier: Apache-2.0
"""An endpoint on loopback that keeps what exporters and their SDKs send, and answers as it is told."""
import gzip
import http.server
import json
import threading
import time


class Request:
    def __init__(self, method, path, headers, body):
        self.method, self.path, self.body, self.at = method, path, body, time.monotonic()
        self.headers = {name.lower(): value for name, value in headers}

    @property
    def json(self):
        return json.loads(self.body)

    def parts(self):
        """Of multipart/form-data: [(name, headers, body)]."""
        boundary = self.headers["content-type"].split("boundary=")[1].strip('"').encode()
        found = []
        pieces = self.body.split(b"--" + boundary)
        assert pieces[0] == b"" and pieces[-1].strip() == b"--", (pieces[0], pieces[-1])
        for piece in pieces[1:-1]:
            head, body = piece.removeprefix(b"\r\n").removesuffix(b"\r\n").split(b"\r\n\r\n", 1)
            headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
            name = headers["Content-Disposition"].split('name="')[1].rstrip('"')
            found.append((name, headers, body))
        return found


class Recorder:
    """answer(request): (status, headers, body or JSON), or None: it never answers."""

    def __init__(self, answer=None):
        self.requests, self.answer = [], answer or (lambda request: (200, {}, {}))
        self.closing = threading.Event()
        recorder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def read(self):
                if self.headers.get("transfer-encoding") != "chunked":
                    return self.rfile.read(int(self.headers.get("content-length", 0)))
                data = b""
                while size := int(self.rfile.readline().strip(), 16):
                    data += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return data

            def handle_any(self):
                body = self.read()
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                request = Request(self.command, self.path, self.headers.items(), body)
                recorder.requests.append(request)
                answer = recorder.answer(request)
                if answer is None:
                    recorder.closing.wait()
                    self.close_connection = True
                    return
                status, headers, body = answer
                body = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                for name, value in {"content-type": "application/json", "content-length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_PATCH = handle_any

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # the other side went away

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def at(self, path):
        return [request for request in self.requests if request.path == path]

    def close(self):
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()
