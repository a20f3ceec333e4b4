"""A webhook that does as a test wants."""

from __future__ import annotations

import http.server
import json
import threading


class Webhooks:
    """Takes messages at any path of `url`, in the order in which they come.

    Attributes:
        taken: path and body of each message that was answered with 200.
        answer: the status to give; 0: none at all, until `let_go` is called.
    """

    def __init__(self, port: int = 0) -> None:
        self.taken: list[tuple[str, dict]] = []
        self.refused = 0
        self.hanging = 0
        self.answer = 200
        self._gone = threading.Event()
        webhooks = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                webhooks._take(self)

            def log_message(self, *arguments: object) -> None:
                """Not to stderr."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def _take(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        if self.answer == 0:
            self.hanging += 1
            self._gone.wait()
            return
        if self.answer == 200:
            self.taken.append((handler.path, json.loads(body)))
        else:
            self.refused += 1
        handler.send_response(self.answer)
        handler.send_header("Location", "/elsewhere")
        if self.answer == 429:
            handler.send_header("Retry-After", "7")
        handler.end_headers()

    @property
    def told(self) -> list[tuple[str, str]]:
        """Kind and stream of each message of the "json" template."""
        return [(body["event"], body["stream"]) for _, body in self.taken]

    def close(self) -> None:
        """Answer nobody any more; a second call does nothing."""
        if self._gone.is_set():
            return
        self._gone.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
