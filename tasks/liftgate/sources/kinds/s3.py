"""A bucket of an S3-compatible store."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Self

from pydantic import model_validator

from liftgate.config.sources import DataSet, SourceBlock
from liftgate.sources.connections import Connections
from liftgate.sources.files import as_groups
from liftgate.sources.identity import Listed
from liftgate.sources.reading import gone, import_for, require_same

AT_ONCE = 16
"""Requests in flight while objects are asked for their tags or metadata."""
_GONE = ("NoSuchKey", "404")


class S3(SourceBlock):
    """A bucket of an S3-compatible store (extra `s3`)."""

    bucket: str
    """Name of the bucket."""
    prefix: str = ""
    """Only objects whose key begins with this."""
    conn_id: str | None = None
    """A connection with access key as login, secret key as password, and `endpoint_url` and `region_name` in its
    extra. None: the credentials of the environment."""
    groups_tag: str | None = None
    """The tag of an object that names its groups, as in hr+board, since S3 allows no commas there; where `groups_from`
    has `source`. One more request per object."""
    groups_metadata: str | None = None
    """The same for a metadata entry of the object, with commas."""

    @model_validator(mode="after")
    def _one_place_for_groups(self) -> Self:
        if self.groups_tag and self.groups_metadata:
            raise ValueError("groups_tag and groups_metadata are both set; groups come from one place, keep one")
        return self

    def open(self, connections: Connections) -> S3Reader:
        """Its objects."""
        return S3Reader(self, connections)

    def data_set(self) -> DataSet:
        """The part of the bucket."""
        return DataSet(f"s3://{self.bucket}", self.prefix or "/")


class S3Reader:
    """Objects by their keys below the prefix. A version is an ETag, and only that one is read."""

    def __init__(self, block: S3, connections: Connections):
        self._block = block
        self._connections = connections
        self._prefix = block.prefix.strip("/") + "/" if block.prefix.strip("/") else ""
        self._made: Any = None

    def list(self) -> Iterator[Listed]:
        """Every object, a page of a thousand at a time."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._block.bucket, Prefix=self._prefix)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for page in pages:
                # What ends in a slash is a folder's marker.
                objects = [found for found in page.get("Contents", []) if not found["Key"].endswith("/")]
                for found in pool.map(self._listed, objects) if self._asks_each else map(self._listed, objects):
                    yield from found

    def look(self, uris: Collection[str]) -> Iterator[Listed]:
        """Those objects, with a request for each."""
        for uri in sorted(uris):
            key = self._prefix + uri
            with _unless_gone():
                found = self._client.head_object(Bucket=self._block.bucket, Key=key)
                yield from self._listed({**found, "Key": key, "Size": found["ContentLength"]})

    def read(self, uri: str, version_hint: str) -> bytes:
        """The bytes of the object, if it still has that ETag."""
        from botocore.exceptions import ClientError

        try:
            found = self._client.get_object(Bucket=self._block.bucket, Key=self._prefix + uri, IfMatch=version_hint)
        except ClientError as error:
            if error.response["Error"]["Code"] in (*_GONE, "PreconditionFailed", "412"):
                raise gone(uri) from error
            raise
        require_same(uri, version_hint, found["ETag"].strip('"'))
        data: bytes = found["Body"].read()
        return data

    def _listed(self, found: dict[str, Any]) -> tuple[Listed, ...]:
        """The object; nothing where it was deleted before somebody could ask for its groups."""
        uri = found["Key"].removeprefix(self._prefix)
        with _unless_gone():
            groups = self._groups(found["Key"])
            return (Listed(uri, found["ETag"].strip('"'), found["Size"], found["LastModified"], groups),)
        return ()

    def _groups(self, key: str) -> tuple[str, ...] | None:
        """Asked for at every listing: a tag can change while everything else of an object stays as it is."""
        block = self._block
        if block.groups_tag:
            tags = self._client.get_object_tagging(Bucket=block.bucket, Key=key)["TagSet"]
            return as_groups(next((tag["Value"] for tag in tags if tag["Key"] == block.groups_tag), None), "+")
        if block.groups_metadata:
            metadata = self._client.head_object(Bucket=block.bucket, Key=key)["Metadata"]
            return as_groups(metadata.get(block.groups_metadata.lower()))
        return None

    @property
    def _asks_each(self) -> bool:
        return bool(self._block.groups_tag or self._block.groups_metadata)

    @property
    def _client(self) -> Any:
        if self._made is None:
            session = import_for("s3", "botocore.session", "s3").get_session()
            self._made = session.create_client("s3", **self._login())
        return self._made

    def _login(self) -> dict[str, Any]:
        if self._block.conn_id is None:
            return {}
        found = self._connections(self._block.conn_id)
        keys = {"aws_access_key_id": found.login or None, "aws_secret_access_key": found.password or None}
        extra = {name: found.extra.get(name) for name in ("endpoint_url", "region_name", "aws_session_token")}
        return {name: value for name, value in {**keys, **extra}.items() if value}


@contextmanager
def _unless_gone() -> Iterator[None]:
    """Go on where an object was deleted meanwhile."""
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] not in _GONE:
            raise
