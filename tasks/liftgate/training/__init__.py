"""From releases to adapters: tuning sets, training jobs and the backends that run them."""
