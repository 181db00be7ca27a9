"""A small API server of Kubernetes, with the training operator and a kubelet behind it, that fails on demand.

Over real HTTP on loopback. The jobs are real too: processes of LocalBackend, by the operator's rules. What a test
orders with `fail` happens to the next requests that match, and all that was asked and made is written down.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from liftgate.errors import JobRefused
from liftgate.jobs.backend import JobRef, Phase
from liftgate.jobs.local.backend import LocalBackend
from liftgate.jobs.local.state import JobFolder

JOBS = re.compile(r"/apis/kubeflow.org/v1/namespaces/([^/]+)/pytorchjobs(?:/([^/]+))?$")
PODS = re.compile(r"/api/v1/namespaces/([^/]+)/pods(?:/([^/]+)/log)?$")
EVENTS = re.compile(r"/api/v1/namespaces/([^/]+)/events$")


@dataclass
class Fault:
    """What happens to the next `times` requests that match, in place of an answer (or after it)."""

    method: str
    path: str
    times: int
    status: int
    """0: the connection is cut without a word."""
    message: str = "ordered by a test"
    headers: dict[str, str] = field(default_factory=dict)
    afterwards: bool = False
    """The request is carried out, and only its answer is lost."""


Answer = tuple[int, Any]


class KubernetesServer:
    """The server, its kubeconfig, and what happened."""

    def __init__(self, root: Path, claims: dict[str, Path] | None = None, port: int = 0):
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self.backend = LocalBackend(root / "jobs", claims or {}, Path(__file__).parent.parent / "trainer_image", True)
        self.faults: list[Fault] = []
        self.asked: list[str] = []
        self.made: list[str] = []
        self.manifests: list[dict[str, Any]] = []
        """Of every job that was made."""
        self.pod_status: dict[str, Any] = {}
        """Status of the pods of a job by its name, in place of what its processes say."""
        self.events: list[dict[str, Any]] = []
        self.forbidden: set[str] = set()
        """What a review of the account's rights denies, like "list events"."""
        self._stamped: dict[str, list[tuple[str, str]]] = {}
        self._deleted: set[str] = set()
        self._lock = threading.Lock()
        self._http: ThreadingHTTPServer | None = None
        self.open(port)

    def open(self, port: int = 0) -> None:
        """Listens, on the same port as before where it was closed in between."""
        if self._http is not None:
            return
        server = self

        class Handler(_Handler):
            kubernetes = server

        self._http = ThreadingHTTPServer(("127.0.0.1", port or getattr(self, "port", 0)), Handler)
        self._http.daemon_threads = True
        self.port = self._http.server_address[1]
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """No connection gets through any more; jobs go on."""
        if self._http is not None:
            self._http.shutdown()
            self._http.server_close()
            self._http = None

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig file for this server."""
        path = self.root / "kubeconfig"
        cluster = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{self.port}"}}
        context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
        user = {"name": "u", "user": {"token": "none"}}
        config = {"clusters": [cluster], "contexts": [context], "users": [user], "current-context": "c"}
        path.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Config", **config}))
        return path

    def fail(self, method: str, path: str, status: int, times: int = 1, **options: Any) -> Fault:
        """Orders a fault for the next requests whose path contains `path`."""
        fault = Fault(method, path, times, status, **options)
        self.faults.append(fault)
        return fault

    def next_fault(self, method: str, path: str) -> Fault | None:
        """The fault that this request gets, if any."""
        with self._lock:
            self.asked.append(f"{method} {path}")
            for fault in self.faults:
                if fault.times > 0 and fault.method == method and fault.path in path:
                    fault.times -= 1
                    return fault
        return None

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> Answer:
        """What a healthy server would say."""
        if found := JOBS.match(path):
            namespace, name = found.groups()
            if method == "POST":
                return self._create(namespace, body)
            return self._delete(namespace, name, body) if method == "DELETE" else self._read(namespace, name)
        if found := PODS.match(path):
            namespace, pod = found.groups()
            return self._log(namespace, pod, query) if pod else self._pods(namespace, query)
        if path.endswith("/selfsubjectaccessreviews"):
            asked = body["spec"]["resourceAttributes"]
            allowed = f"{asked['verb']} {asked['resource']}" not in self.forbidden
            return 201, {**body, "status": {"allowed": allowed}}
        if EVENTS.match(path):
            return 200, {"items": self.events}
        return _status(404, "the server could not find the requested resource")

    def _create(self, namespace: str, manifest: dict[str, Any]) -> Answer:
        if namespace == "nowhere":
            return _status(404, 'namespaces "nowhere" not found')
        try:
            ref = self.backend.submit(manifest)
        except JobRefused as refused:
            if "another specification" in str(refused):
                return _status(409, "already exists")
            return _status(403, f'admission webhook "validator" denied the request: {refused}')
        if ref.adopted:
            return _status(409, f'pytorchjobs "{ref.name}" already exists')
        self.made.append(ref.name)
        self.manifests.append(manifest)
        return 201, self._job(ref)

    def _read(self, namespace: str, name: str) -> Answer:
        ref = self.backend.find(namespace, name)
        there = ref is not None and ref.uid not in self._deleted
        return (200, self._job(ref)) if ref and there else _status(404, f'pytorchjobs "{name}" not found')

    def _delete(self, namespace: str, name: str, body: Any) -> Answer:
        ref = self.backend.find(namespace, name)
        if ref is None:
            return _status(404, "not found")
        wanted = ((body or {}).get("preconditions") or {}).get("uid")
        if wanted and wanted != ref.uid:
            return _status(409, f"the UID in the precondition ({wanted}) does not match")
        self._deleted.add(ref.uid)
        self.backend.delete(ref)
        return 200, {"kind": "Status", "status": "Success"}

    def _job(self, ref: JobRef) -> dict[str, Any]:
        record = self._record(ref)
        metadata = {**record["manifest"]["metadata"], "uid": ref.uid, "creationTimestamp": "2026-01-01T00:00:00Z"}
        return {**record["manifest"], "metadata": metadata, "status": {"conditions": record["conditions"]}}

    def _record(self, ref: JobRef) -> dict[str, Any]:
        return JobFolder(self.root / "jobs" / ref.namespace / ref.name).read() or {}

    def _pods(self, namespace: str, query: dict[str, list[str]]) -> Answer:
        name = query["labelSelector"][0].partition("=")[2]
        ref = self.backend.find(namespace, name)
        return 200, {"items": self._pods_of(ref) if ref else []}

    def _pods_of(self, ref: JobRef) -> list[dict[str, Any]]:
        made = []
        for kind, replica in self._record(ref)["manifest"]["spec"]["pytorchReplicaSpecs"].items():
            for index in range(replica.get("replicas", 1)):
                place = {"replica-type": kind.lower(), "replica-index": str(index)}
                labels = {f"training.kubeflow.org/{name}": value for name, value in place.items()}
                metadata = {
                    "name": f"{ref.name}-{kind.lower()}-{index}",
                    "namespace": ref.namespace,
                    "uid": f"{ref.uid}-{kind}-{index}",
                    "labels": labels,
                    "ownerReferences": [{"uid": ref.uid}],
                }
                status = self.pod_status.get(ref.name) or self._status_of(ref)
                made.append({"metadata": metadata, "spec": replica["template"]["spec"], "status": status})
        return made

    def _status_of(self, ref: JobRef) -> dict[str, Any]:
        state = self.backend.status(ref)
        code = re.search(r"exit code (\d+)", state.message)
        if state.phase is Phase.FAILED and code:
            ended = {"name": "pytorch", "state": {"terminated": {"exitCode": int(code[1]), "reason": "Error"}}}
            return {"phase": "Failed", "containerStatuses": [ended]}
        return {"phase": "Succeeded" if state.phase is Phase.SUCCEEDED else "Running"}

    def _log(self, namespace: str, pod: str, query: dict[str, list[str]]) -> Answer:
        job, _, _ = pod.rpartition("-master-")
        ref = self.backend.find(namespace, job)
        lines = list(self.backend.logs(ref)) if ref else []
        stamped = self._stamped.setdefault(pod, [])
        now = datetime.now(UTC).isoformat().replace("+00:00", "789Z")
        stamped += [(now, line) for line in lines[len(stamped) :]]
        shown = [f"{stamp} {line}" if "timestamps" in query else line for stamp, line in stamped]
        if "tailLines" in query:
            shown = shown[-int(query["tailLines"][0]) :]
        return 200, "".join(f"{line}\n" for line in shown)


class _Handler(BaseHTTPRequestHandler):
    kubernetes: KubernetesServer
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        url = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        fault = self.kubernetes.next_fault(self.command, url.path)
        if fault is None or fault.afterwards:
            status, content = self.kubernetes.answer(self.command, url.path, parse_qs(url.query), body)
        if fault is not None:
            if fault.status == 0:
                self.close_connection = True
                self.connection.close()
                return
            status, content = _status(fault.status, fault.message)
        text = content if isinstance(content, str) else json.dumps(content)
        self._send(status, text.encode(), fault.headers if fault else {}, isinstance(content, str))

    def _send(self, status: int, content: bytes, headers: dict[str, str], plain: bool) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if plain else "application/json")
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_DELETE = do_PATCH = _serve

    def log_message(self, *args: Any) -> None:
        """Nobody reads it."""


def _status(code: int, message: str) -> Answer:
    return code, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code}


@contextmanager
def kubernetes_server(root: Path, claims: dict[str, Path] | None = None) -> Iterator[KubernetesServer]:
    """A server that ends, with all of its jobs, when the block does."""
    server = KubernetesServer(root, claims)
    try:
        yield server
    finally:
        server.close()
        for record in (root / "jobs").glob("*/*/job.json"):
            ref = server.backend.find(record.parent.parent.name, record.parent.name)
            if ref is not None:
                server.backend.cancel(ref)


def until(condition: Any, seconds: float = 60) -> None:
    """Waits for something to become true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
