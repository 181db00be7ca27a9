"""Plays the kubelet for an API server that has none: runs the containers of a job's pods as processes of this machine.

It writes back what a kubelet would: phases, exit codes, restarts. Logs stay in files: pods/log is the kubelet's own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from kubernetes.client import ApiClient, CoreV1Api
from kubernetes.client.rest import ApiException

Pod = dict[str, Any]


class Kubelet:
    """Runs pods of one namespace that carry one label, until it is stopped."""

    def __init__(
        self, api: ApiClient, namespace: str, selector: str, root: Path, claims: dict[str, Path] | None = None
    ):
        self._core = CoreV1Api(api)
        self._namespace = namespace
        self._selector = selector
        self._root = root
        root.mkdir(parents=True, exist_ok=True)
        self._claims = claims or {}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._restarts: dict[str, int] = {}
        self._ended: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends every process that still runs."""
        self._stop.set()
        self._thread.join(timeout=20)
        for process in self._running.values():
            process.kill()
            process.wait()

    def _loop(self) -> None:
        while not self._stop.wait(0.2):
            with suppress(ApiException):  # asked again at the next look
                self._look()

    def _look(self) -> None:
        read = self._core.list_namespaced_pod(self._namespace, label_selector=self._selector, _preload_content=False)
        pods = {pod["metadata"]["uid"]: pod for pod in json.loads(read.data)["items"]}
        for gone in set(self._running) - set(pods):
            process = self._running.pop(gone)
            process.terminate()
            process.wait()
        for uid, pod in pods.items():
            if uid not in self._running and uid not in self._ended:
                self._start(uid, pod)
            elif uid in self._running and self._running[uid].poll() is not None:
                self._end(uid, pod)

    def _start(self, uid: str, pod: Pod) -> None:
        container = _container(pod)
        folders = self._folders(pod, container)
        words = [_local(word, folders) for word in [*container.get("command", ()), *container.get("args", ())]]
        if words[0] in ("python", "python3"):
            words[0] = sys.executable
        env = {one["name"]: _local(one.get("value") or "", folders) for one in container.get("env") or []}
        # On a cluster every pod has an address of its own; here they share one, which no name server knows.
        if "MASTER_ADDR" in env:
            env["MASTER_ADDR"] = env["PET_MASTER_ADDR"] = "127.0.0.1"
        log = (self._root / f"{pod['metadata']['name']}.{self._restarts.get(uid, 0)}.log").open("wb")
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
        self._running[uid] = subprocess.Popen(words, env=kept | env, stdout=log, stderr=subprocess.STDOUT)
        self._tell(pod, "Running", {"running": {}}, self._restarts.get(uid, 0))

    def _end(self, uid: str, pod: Pod) -> None:
        code = self._running.pop(uid).returncode
        code = code if code >= 0 else 128 - code
        if code and pod["spec"].get("restartPolicy") == "OnFailure":
            self._restarts[uid] = self._restarts.get(uid, 0) + 1
            self._tell(pod, "Running", {"waiting": {"reason": "CrashLoopBackOff"}}, self._restarts[uid])
            return
        self._ended.add(uid)
        state = {"terminated": {"exitCode": code, "reason": "Error" if code else "Completed"}}
        self._tell(pod, "Failed" if code else "Succeeded", state, self._restarts.get(uid, 0))

    def _tell(self, pod: Pod, phase: str, state: dict[str, Any], restarts: int) -> None:
        container = {"name": "pytorch", "state": state, "restartCount": restarts, "ready": phase == "Running"}
        status = {"phase": phase, "containerStatuses": [{**container, "image": "", "imageID": ""}]}
        # A JSON patch: the only one that every version of the client sends as it is given.
        self._core.patch_namespaced_pod_status(
            pod["metadata"]["name"],
            self._namespace,
            [{"op": "add", "path": "/status", "value": status}],
            _preload_content=False,
        )

    def _folders(self, pod: Pod, container: dict[str, Any]) -> dict[str, Path]:
        claims = {
            volume["name"]: self._claims[volume["persistentVolumeClaim"]["claimName"]]
            for volume in pod["spec"].get("volumes") or []
            if (volume.get("persistentVolumeClaim") or {}).get("claimName") in self._claims
        }
        mounts = container.get("volumeMounts") or []
        return {mount["mountPath"]: claims[mount["name"]] for mount in mounts if mount["name"] in claims}


def _container(pod: Pod) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in pod["spec"]["containers"] if one["name"] == "pytorch")
    return found


def _local(word: str, folders: dict[str, Path]) -> str:
    for path, folder in folders.items():
        if word == path or word.startswith(f"{path}/"):
            return f"{folder}{word[len(path) :]}"
    return word
