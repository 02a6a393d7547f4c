"""Who may learn nothing of a child, and who stands in."""
