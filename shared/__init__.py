"""What every service shares: the language, the promise and the plumbing."""
