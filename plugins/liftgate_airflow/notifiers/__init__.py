"""Ways of telling people."""
