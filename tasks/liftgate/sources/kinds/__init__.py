"""The kinds of sources that come with Liftgate: one module each, named for the `type` in the configuration."""
