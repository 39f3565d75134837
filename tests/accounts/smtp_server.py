"""A mail server on loopback that says what it is told to say, so that refusals come over the wire."""

import socketserver
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message
from email.policy import default
from threading import Thread


class Dialogue(socketserver.StreamRequestHandler):
    server: "MailServer"

    def handle(self) -> None:
        self.say("220 ready")
        for line in self.rfile:
            verb = line.split(b" ")[0].strip().upper().decode()
            if verb == "DATA":
                self.say("354 go on")
                self.take()
            self.say(self.server.answers.get(verb, "221 bye" if verb == "QUIT" else "250 OK"))
            self.server.heard.append(verb)

    def say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())

    def take(self) -> None:
        lines = iter(self.rfile.readline, b".\r\n")
        self.server.messages.append(message_from_bytes(b"".join(lines), policy=default))


class MailServer(socketserver.ThreadingTCPServer):
    """`answers`: what it says to a verb instead of 250. `heard`: the verbs, `messages`: what came by DATA."""

    allow_reuse_address, daemon_threads = True, True

    def __init__(self, answers: dict[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), Dialogue)
        self.answers, self.heard, self.messages = answers, list[str](), list[Message]()

    @property
    def port(self) -> int:
        return int(self.server_address[1])


@contextmanager
def serving(answers: dict[str, str]) -> Iterator[MailServer]:
    with MailServer(answers) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server
        server.shutdown()
