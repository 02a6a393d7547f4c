"""What every service shares: the language, the promise and the plumbing."""

__version__ = "0.1.0"
"""What `hartline_build_info` says, as pyproject.toml."""
