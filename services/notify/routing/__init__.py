"""Who must be told, and why: facts and rules in, legs and words out."""
