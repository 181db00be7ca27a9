"""Parts of the local profile: what stands in for services that a bare machine does not have."""
