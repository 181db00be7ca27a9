"""A folder of an SFTP server."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from typing import Any

from liftgate.config.sources import SourceBlock
from liftgate.errors import ConfigurationError
from liftgate.sources.connections import Connection, Connections
from liftgate.sources.identity import Listed
from liftgate.sources.reading import LINK, FolderEntry, as_time, files_below, import_for, read_unchanged

PORT = 22


class Sftp(SourceBlock):
    """A folder of an SFTP server (extra `sftp`). Its links are not followed."""

    conn_id: str
    """A connection: host, port, login, password or `key_file`, and `host_key` (as in known_hosts, without the host) in
    its extra, as Airflow's connections of the type `sftp` have. Without `host_key`, the known_hosts of the worker."""
    path: str = "."
    """The folder on the server."""

    def open(self, connections: Connections) -> SftpReader:
        """Its files."""
        return SftpReader(self, connections)


class SftpReader:
    """Files of an SFTP server. A version is a file's time and size."""

    def __init__(self, block: Sftp, connections: Connections):
        self._block = block
        self._connections = connections
        self._client: Any = None
        self._opened: Any = None

    def list(self) -> Iterator[Listed]:
        """Every file, folder by folder."""
        return files_below(self._entries)

    def read(self, uri: str, version_hint: str) -> bytes:
        """The file's bytes, if it has the listed time and size before and after."""
        path = _path(f"{self._block.path}/{uri}")
        return read_unchanged(uri, version_hint, lambda: _hint(self._files.stat(path)), lambda: self._read(path))

    def _read(self, path: bytes) -> bytes:
        with self._files.open(path, "rb") as file:
            size = file.stat().st_size
            file.prefetch(size)
            data: bytes = file.read(size)
        return data

    def _entries(self, folder: str) -> Iterator[FolderEntry]:
        path = f"{self._block.path}/{folder}" if folder else self._block.path
        for found in self._files.listdir_attr(_path(path)):
            kind = {stat.S_IFREG: "file", stat.S_IFDIR: "directory"}.get(stat.S_IFMT(found.st_mode), LINK)
            if found.filename not in (".", ".."):
                yield FolderEntry(found.filename, kind, _hint(found), found.st_size or 0, as_time(found.st_mtime))

    @property
    def _files(self) -> Any:
        if self._opened is None:
            paramiko = import_for("sftp", "paramiko", "sftp")
            found = self._connections(self._block.conn_id)
            self._client = paramiko.SSHClient()
            self._know(paramiko, found)
            login = {"username": found.login or None, "password": found.password or None}
            key = {"key_filename": found.extra.get("key_file") or None}
            try:
                self._client.connect(found.host, found.port or PORT, **login, **key, allow_agent=False, timeout=30)
            except paramiko.BadHostKeyException as error:
                raise ConfigurationError(_unknown_host(found)) from error
            except paramiko.SSHException as error:
                if "not found in known_hosts" in str(error):
                    raise ConfigurationError(_unknown_host(found)) from error
                raise
            self._opened = _with_any_names(self._client.open_sftp())
        return self._opened

    def _know(self, paramiko: Any, found: Connection) -> None:
        """Trust the host key of the connection, else those of known_hosts, and nobody else's."""
        self._client.set_missing_host_key_policy(paramiko.RejectPolicy())
        given = str(found.extra.get("host_key") or "").split()
        if not given:
            self._client.load_system_host_keys()
            return
        port = found.port or PORT
        host = found.host if port == PORT else f"[{found.host}]:{port}"
        typed = given[:2] if len(given) > 1 else ["ssh-rsa", *given]  # as Airflow's hook takes a key alone
        try:
            key = paramiko.hostkeys.HostKeyEntry.from_line(" ".join([host, *typed])).key
            self._client.get_host_keys().add(host, key.get_name(), key)
        except (paramiko.SSHException, paramiko.hostkeys.InvalidHostKey, AttributeError) as error:
            raise ConfigurationError(
                f"Expected `host_key` of the connection {self._block.conn_id} to be a type and a key, as in "
                f"known_hosts, found something else. Run: ssh-keyscan {found.host}"
            ) from error


def _with_any_names(files: Any) -> Any:
    """Names need not be text: paramiko gives up a folder for one that is none. Here its bytes are spelt out."""
    ask = files._request

    def request(*arguments: Any) -> Any:
        kind, answer = ask(*arguments)
        answer.get_text = lambda: answer.get_string().decode("utf-8", "backslashreplace")
        return kind, answer

    files._request = request
    return files


def _path(path: str) -> bytes:
    """The path as the server has it, with the bytes that were spelt out."""
    return re.sub(rb"\\x([89a-f][0-9a-f])", lambda found: bytes.fromhex(found[1].decode()), path.encode())


def _hint(found: Any) -> str:
    return f"{found.st_mtime}-{found.st_size}"


def _unknown_host(found: Connection) -> str:
    return (
        f"Expected the host key of {found.host} to be known, found another one or none. Ask its owner for the key, and "
        "put it as `host_key` into the connection's extra, or into known_hosts of every worker."
    )
