"""From what is due to what became of it: claim, letter, post, outcome, retry."""
