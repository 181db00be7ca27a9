"""The command line of the training; what is not given comes from trainer.defaults."""

from __future__ import annotations

import argparse

from trainer import defaults
from trainer.failures import ExpectedFailure


def arguments(argv: list[str] | None = None, description: str | None = None) -> argparse.Namespace:
    """The arguments as given, checked as far as they can be without reading anything."""
    parser = argparse.ArgumentParser(prog="python -m trainer.train_lora", description=description)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--base_model", required=True, help="folder of the base model, or a cached name")
    parser.add_argument("--train_jsonl", required=True, help='file or URI: lines {"id": ..., "messages": [...]}')
    parser.add_argument("--output_dir", required=True, help="folder or URI where the adapter appears")
    _add_learning(parser)
    _add_evaluation(parser)
    _add_machine(parser)
    options = parser.parse_args(argv)
    if options.patience and not options.eval_share:
        raise ExpectedFailure(
            "Expected --eval_share with --patience, found none. Give the share of the examples to evaluate on."
        )
    return options


def target_modules(text: str) -> str | list[str]:
    """The layers that get an adapter.

    Example: "all-linear" -> "all-linear"; "q_proj, v_proj" -> ["q_proj", "v_proj"]
    """
    names = sorted({name.strip() for name in text.split(",") if name.strip()})
    return names if names != [defaults.TARGET_MODULES] else defaults.TARGET_MODULES


def _add_learning(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--epochs", type=_positive, default=defaults.EPOCHS)
    parser.add_argument("--max_steps", type=_positive, help="stops after so many steps")
    parser.add_argument("--lr", type=float, default=defaults.LEARNING_RATE, help="highest learning rate")
    parser.add_argument("--rank", type=_positive, default=defaults.RANK)
    parser.add_argument("--alpha", type=_positive, default=defaults.ALPHA)
    parser.add_argument(
        "--target_modules",
        type=target_modules,
        default=defaults.TARGET_MODULES,
        help="names of layers, with commas between them, or all-linear",
    )
    parser.add_argument(
        "--batch_size", type=_positive, default=defaults.BATCH_SIZE, help="examples of a step, over all processes"
    )
    parser.add_argument("--seed", type=int, default=defaults.SEED)
    parser.add_argument("--max_length", type=_positive, default=defaults.MAX_LENGTH_TOKENS, help="in tokens")
    parser.add_argument(
        "--max_broken_share",
        type=_share,
        default=defaults.MAX_BROKEN_SHARE,
        help="share of broken lines that are left out; more of them are an error",
    )


def _add_evaluation(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--eval_share", type=_share, default=defaults.EVAL_SHARE, help="share of the examples held out for evaluation"
    )
    parser.add_argument(
        "--eval_steps", type=_positive, default=defaults.EVAL_STEPS, help="steps between two evaluations"
    )
    parser.add_argument(
        "--patience",
        type=_positive,
        help="ends after so many evaluations without a better one, with the weights of the best",
    )


def _add_machine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--gradient_accumulation",
        type=_positive,
        default=defaults.GRADIENT_ACCUMULATION,
        help="pieces in which a process computes its share of a batch; more of them take less memory",
    )
    parser.add_argument(
        "--precision",
        choices=("auto", "fp32", "bf16"),
        default=defaults.PRECISION,
        help="of the base model; auto is bf16 on GPUs and fp32 on CPUs",
    )
    parser.add_argument("--checkpoint_steps", type=_positive, default=defaults.CHECKPOINT_STEPS)
    parser.add_argument("--resume", action="store_true", help="goes on from the newest whole checkpoint")
    parser.add_argument(
        "--peer_timeout",
        type=_positive,
        default=defaults.PEER_TIMEOUT_SECONDS,
        help="seconds that a process waits for the others before it ends with an error",
    )


def _positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, found {number}")
    return number


def _share(text: str) -> float:
    if not 0 <= (number := float(text)) < 1:
        raise argparse.ArgumentTypeError(f"expected a share from 0 to less than 1, found {number}")
    return number
