"""Pages on paper, set by typst in memory with our own fonts: forms, letters."""
