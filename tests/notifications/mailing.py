"""A mail server on loopback that speaks RFC 5321 as far as letters need, scripted by the address."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class MailServer(socketserver.ThreadingTCPServer):
    """Keeps what it was given; an address that begins with a code is answered with it."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Session)
        self.letters: list[tuple[str, str]] = []
        self.sessions = 0
        self.greeting = "220 mail ready"
        self.hang_up_after = 10**9

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.server_address[1]}"


class Session(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self.server.sessions += 1
        self.say(self.server.greeting)
        to = ""
        while line := self.rfile.readline().decode().strip():
            verb = line[:4].upper()
            if verb == "RCPT":
                to = line.partition("<")[2].partition(">")[0]
                code = to[:3] if to[:3].isdigit() else "250"
                self.say(f"{code} recipient")
            elif verb == "DATA":
                self.say("354 go on")
                lines: list[str] = []
                while (text := self.rfile.readline().decode().rstrip("\r\n")) != ".":
                    lines.append(text)
                self.server.letters.append((to, "\n".join(lines)))
                self.say("250 kept")
                if len(self.server.letters) >= self.server.hang_up_after:
                    return
            elif verb == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 mail")

    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """Serve in a thread."""
    with MailServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
