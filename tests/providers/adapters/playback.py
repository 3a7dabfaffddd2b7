"""An upstream that plays recorded answers, byte for byte, and breaks off where it is told to."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_PIECE_BYTES = 333  # no divisor of anything: events and frames come torn


@dataclass(frozen=True, slots=True)
class Heard:
    """A request as it came."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Playback:
    """The next answer. streamed: in pieces, without a length. broken: the connection ends without the answer's end."""

    url: str
    status: int = 200
    content: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    streamed: bool = False
    broken: bool = False
    heard: list[Heard] = field(default_factory=list)

    def play(
        self,
        content: bytes,
        content_type: str = "application/json",
        *,
        status: int = 200,
        streamed: bool = False,
        broken: bool = False,
    ) -> None:
        """What every request gets from now on."""
        self.content, self.status, self.streamed, self.broken = content, status, streamed, broken
        self.headers = {"content-type": content_type}
        self.heard.clear()


@contextmanager
def playback() -> Iterator[Playback]:
    """A server on a free loopback port."""
    playing = Playback(url="")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            playing.heard.append(Heard(self.command, self.path, headers, body))
            self.send_response(playing.status)
            for name, value in playing.headers.items():
                self.send_header(name, value)
            if playing.streamed:
                self._stream()
            else:
                self.send_header("content-length", str(len(playing.content)))
                self.end_headers()
                self.wfile.write(playing.content)

        def _stream(self) -> None:
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            for start in range(0, len(playing.content), _PIECE_BYTES):
                piece = playing.content[start : start + _PIECE_BYTES]
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                self.wfile.flush()
            if playing.broken:
                self.close_connection = True
            else:
                self.wfile.write(b"0\r\n\r\n")

        do_GET = do_POST = do_DELETE = _answer  # noqa: N815  (the base class says how they are called)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    playing.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield playing
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
