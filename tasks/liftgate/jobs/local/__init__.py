"""Runs the manifests of a cluster as processes of this machine, by the training operator's rules."""
