"""LoRA's defaults, all of them: whoever starts the trainer passes only what should differ."""

EPOCHS = 2
LEARNING_RATE = 2e-4
RANK = 8
ALPHA = 16
DROPOUT = 0.0
TARGET_MODULES = "all-linear"
BATCH_SIZE = 4
"""Examples of a step, over all processes."""
GRADIENT_ACCUMULATION = 1
PRECISION = "auto"
SEED = 17
MAX_LENGTH_TOKENS = 2048
WARMUP_SHARE = 0.1
"""Share of the steps over which the learning rate rises; then it falls along a line to 0."""
MAX_GRADIENT_NORM = 1.0
CHECKPOINT_STEPS = 10
"""Steps between two checkpoints."""
EVAL_SHARE = 0.0
EVAL_STEPS = 10
"""Steps between two evaluations."""
MAX_BROKEN_SHARE = 0.0
PEER_TIMEOUT_SECONDS = 600
"""Pods of a job may start minutes apart, and the first one waits for the last."""

MAX_NEW_TOKENS = 160
ANSWER_BATCH_SIZE = 16
