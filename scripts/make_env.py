"""Writes .env for docker compose: a value for every name in .env.example, made on this machine. Keeps what is there.

python3 scripts/make_env.py          .env and .s3.json beside docker-compose.yaml, readable by their owner alone
"""

from __future__ import annotations

import base64
import json
import secrets
import sys
from pathlib import Path


def main(folder: Path) -> None:
    """Fill in what is missing, and say what was written."""
    known = read(folder / ".env")
    wanted = read(Path(__file__).parent.parent / ".env.example")
    values = known | {name: known.get(name) or secret(name) for name in wanted}
    write(folder / ".env", "".join(f"{name}={value}\n" for name, value in values.items()))
    write(folder / ".s3.json", json.dumps(object_store(values["S3_SECRET_KEY"]), indent=2))
    made = [name for name in wanted if not known.get(name)]
    print(f"{folder / '.env'}: {len(made)} values made, {len(wanted) - len(made)} kept.")
    print("The page's user is admin; its password is ADMIN_PASSWORD in that file.")


def read(path: Path) -> dict[str, str]:
    """Names and values of a file of variables; a file that is not there has none."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    pairs = (line.partition("=") for line in lines if line.strip() and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def secret(name: str) -> str:
    """A new value. Fernet keys have a form of their own; all others are letters, digits, - and _."""
    if name == "AIRFLOW_FERNET_KEY":
        return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    return secrets.token_urlsafe(32)


def object_store(key: str) -> dict[str, object]:
    """Who may do what in the S3-compatible store."""
    actions = ["Admin", "Read", "List", "Tagging", "Write"]
    return {
        "identities": [
            {"name": "liftgate", "credentials": [{"accessKey": "liftgate", "secretKey": key}], "actions": actions}
        ]
    }


def write(path: Path, text: str) -> None:
    """Write a file that only its owner can read, also while it is written."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent)
