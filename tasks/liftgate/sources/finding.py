"""Find the kind of a source by its `type`: that is the name of the module that defines it.

Looked for in this order: the folder `kinds` beside this module; the file that a stored configuration names; the
folder `sources` of the DAG bundle, beside `knowledge_bases`; the entry points `liftgate.sources` of what is installed.
A module is imported only when somebody names it, so one that is broken takes nobody else down.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from liftgate.config.sources import SourceBlock
from liftgate.errors import ConfigurationError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "liftgate.sources"
OWN_FOLDER = "sources"
_BUILT_IN = Path(__file__).parent / "kinds"
_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Kind:
    """The settings of a kind, and the file that defines it where that is no installed module."""

    block: type[SourceBlock]
    file: str = ""


def find_kind(type_name: Any, kind_file: str = "", folder: Path | None = None) -> Kind:
    """The kind of that name. `folder` is that of the configuration file. Raises ConfigurationError.

    Example: find_kind("wiki", folder=/dags/knowledge_bases) -> the block defined in /dags/sources/wiki.py
    """
    own = _own_folder(folder)
    if not isinstance(type_name, str) or not _NAME.fullmatch(type_name):
        raise ConfigurationError(_unknown(type_name, own))
    if (_BUILT_IN / f"{type_name}.py").is_file():
        if own and (own / f"{type_name}.py").is_file():
            raise ConfigurationError(
                f"Expected a kind of your own to have a name of its own, found {own / f'{type_name}.py'} beside the "
                f"built-in kind {type_name}. Rename the file."
            )
        return Kind(_block_of(import_module(f"liftgate.sources.kinds.{type_name}"), type_name))
    file = Path(kind_file) if kind_file else own / f"{type_name}.py" if own else None
    if file and file.is_file():
        return Kind(_block_of(_load(file), str(file)), str(file))
    for point in _entry_points():
        if point.name == type_name:
            return Kind(_of_entry_point(point))
    raise ConfigurationError(_missing(type_name, kind_file) if kind_file else _unknown(type_name, own))


def known_kinds(folder: Path | None = None) -> list[str]:
    """The names of all kinds that a configuration file in that folder can use."""
    own = _own_folder(folder)
    files = [*_BUILT_IN.glob("*.py"), *(own.glob("*.py") if own else ())]
    names = [file.stem for file in files] + [point.name for point in _entry_points()]
    return sorted({name for name in names if _NAME.fullmatch(name)})


def _own_folder(folder: Path | None) -> Path | None:
    return folder.resolve().parent / OWN_FOLDER if folder else None


def _entry_points() -> Iterator[EntryPoint]:
    from importlib.metadata import entry_points  # reads a file of every installed package

    return iter(entry_points(group=GROUP))


def _load(file: Path) -> ModuleType:
    """The module in a file, under a name that no other file has. It runs again only if the file changed."""
    stamp = file.stat()
    name = f"liftgate_source_{sha256(f'{file}:{stamp.st_mtime_ns}:{stamp.st_size}'.encode()).hexdigest()[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ConfigurationError(f"Expected a Python module in {file}, found none. Correct the file's name.")
    module = sys.modules[name] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise ConfigurationError(
            f"Expected a kind of source in {file}, found {type(error).__name__}: {error}. Correct the file."
        ) from error
    return module


def _of_entry_point(point: EntryPoint) -> type[SourceBlock]:
    try:
        found = point.load()
    except Exception as error:
        raise ConfigurationError(
            f"Expected the entry point {point.name} of {GROUP} to load, found {type(error).__name__}: {error}. "
            "Mend or upgrade the package that has it."
        ) from error
    return found if isinstance(found, type) else _block_of(found, point.value)


def _block_of(module: ModuleType, where: str) -> type[SourceBlock]:
    """The one block that the module itself defines."""
    blocks = [
        thing
        for thing in vars(module).values()
        if isinstance(thing, type) and issubclass(thing, SourceBlock) and thing.__module__ == module.__name__
    ]
    if len(blocks) != 1:
        raise ConfigurationError(
            f"Expected one subclass of SourceBlock in {where}, found {len(blocks)}. "
            "A kind is one module: its settings, and what lists and reads."
        )
    return blocks[0]


def _missing(type_name: str, kind_file: str) -> str:
    return (
        f"Expected {kind_file}, which defines the kind {type_name!r}, found no such file on this machine. Bring the "
        "DAG bundle to it, at the same path, or install the kind as a package with an entry point."
    )


def _unknown(type_name: Any, own: Path | None) -> str:
    known = ", ".join(known_kinds(own.parent / "knowledge_bases" if own else None))
    where = f", or write {own / f'{type_name}.py'}" if own and type_name else ""
    return f"Expected `type` to be one of {known}, found {type_name!r}. Correct it{where}."
