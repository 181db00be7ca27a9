"""Trains LoRA adapters and answers batches with them. Needs torch, transformers, peft and safetensors, no network.

python -m trainer.train_lora --base_model DIR --train_jsonl FILE --output_dir DIR
python -m trainer.generate --base_model DIR --requests FILE --output FILE [--adapter_dir DIR]
"""
