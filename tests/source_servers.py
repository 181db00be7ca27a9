"""Real servers on loopback that sources are read from: HTTP, SFTP, git."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from liftgate.sources.connections import Connection

Respond = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class WebServer:
    """Pages by path; `special` answers a path in its own way, `fallback` any other. `asked`: (method, path) of all."""

    pages: dict[str, bytes] = field(default_factory=dict)
    special: dict[str, Respond] = field(default_factory=dict)
    fallback: Respond | None = None
    etags: bool = True
    asked: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""

    def sitemap(self) -> bytes:
        """All pages that are there."""
        locations = "".join(f"<url><loc>{self.url}{path}</loc></url>" for path in sorted(self.pages))
        return f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{locations}</urlset>'.encode()


def send(handler: BaseHTTPRequestHandler, status: int, body: bytes = b"", **headers: str) -> None:
    """An answer; `content_type` in headers becomes Content-Type."""
    handler.send_response(status)
    headers.setdefault("content_length", str(len(body)))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(body)


@contextmanager
def web_server() -> Iterator[WebServer]:
    """A web server with an ETag for each page, and a sitemap of them at /sitemap.xml."""
    web = WebServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            web.asked.append((self.command, self.path))
            if self.path in web.special:
                web.special[self.path](self)
            elif self.path == "/sitemap.xml":
                send(self, 200, web.sitemap())
            elif self.path in web.pages:
                body = web.pages[self.path]
                tag = {"etag": f'"{sha256(body).hexdigest()[:12]}"'} if web.etags else {}
                send(self, 200, body, **tag)
            elif web.fallback:
                web.fallback(self)
            else:
                send(self, 404)

        do_HEAD = do_GET

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    web.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield web
    server.shutdown()
    server.server_close()


@contextmanager
def sftp_server(folder: Path) -> Iterator[Connection]:
    """An SFTP server over a folder, for the user `reader`."""
    import asyncssh

    class Login(asyncssh.SSHServer):
        def begin_auth(self, username: str) -> bool:
            return True

        def password_auth_supported(self) -> bool:
            return True

        def validate_password(self, username: str, password: str) -> bool:
            return (username, password) == ("reader", "of-the-test")

    key = asyncssh.generate_private_key("ssh-ed25519")
    loop = asyncio.new_event_loop()

    async def start() -> Any:
        def files(channel: Any) -> Any:
            return asyncssh.SFTPServer(channel, chroot=str(folder).encode())

        return await asyncssh.create_server(Login, "127.0.0.1", 0, server_host_keys=[key], sftp_factory=files)

    server = loop.run_until_complete(start())
    threading.Thread(target=loop.run_forever, daemon=True).start()
    host_key = key.export_public_key().decode().strip()
    yield Connection("127.0.0.1", server.get_port(), "reader", "of-the-test", extra={"host_key": host_key})
    loop.call_soon_threadsafe(server.close)
    loop.call_soon_threadsafe(loop.stop)


class GitRepository:
    """A bare repository, and a work tree to commit to it."""

    def __init__(self, folder: Path):
        self.bare, self._tree = folder / "served" / "handbook.git", folder / "tree"
        self._git("init", "--quiet", "--bare", "--initial-branch=main", str(self.bare))
        self._git("clone", "--quiet", str(self.bare), str(self._tree))
        self._commits = 0

    def write(self, path: str, content: bytes | None) -> None:
        """Commit and push a file, or its deletion. Each commit is a day younger than the last."""
        file = self._tree / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            file.unlink()
        else:
            file.write_bytes(content)
        self.run("add", "--all")
        self.run("commit", "--quiet", "-m", path)
        self.run("push", "--quiet", "--force", "origin", "HEAD:main")

    def run(self, *arguments: str) -> None:
        """Run git in the work tree. What it commits is a day younger than what was committed before."""
        self._commits += arguments[0] in ("commit", "merge")
        date = f"2026-01-{self._commits:02} 00:00:00 +0000"
        who = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
        self._git("-C", str(self._tree), *who, *arguments, GIT_COMMITTER_DATE=date)

    def _git(self, *arguments: str, **environment: str) -> None:
        import os

        subprocess.run(["git", *arguments], check=True, capture_output=True, env={**os.environ, **environment})


@contextmanager
def git_server(folder: Path) -> Iterator[str]:
    """git's own daemon over the repositories below a folder; gives the beginning of their addresses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["git", "daemon", "--export-all", "--reuseaddr", "--listen=127.0.0.1", f"--port={port}"]
    process = subprocess.Popen([*command, f"--base-path={folder}", str(folder)], stderr=subprocess.DEVNULL)
    for _ in range(200):
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    yield f"git://127.0.0.1:{port}"
    process.terminate()
    process.wait()
