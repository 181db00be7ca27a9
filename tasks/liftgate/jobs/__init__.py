"""Jobs: what one is, and what runs it (Kubeflow, or this machine)."""
