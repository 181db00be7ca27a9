"""Trains LoRA adapters and answers batches with them. Needs torch, transformers, peft and safetensors, no network.

python -m trainer.train_lora --base_model DIR --train_jsonl FILE --output_dir DIR
python -m trainer.generate --base_model DIR --requests FILE --output FILE [--adapter_dir DIR]
"""

import os

# OpenMP's threads spin while they wait for each other. On cores that are shared with other processes that is
# 3 to 5 times slower (measured), since a thread spins for one that is not running. It is read when torch loads.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
