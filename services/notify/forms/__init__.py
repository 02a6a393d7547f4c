"""Form DCF-737 and its relatives: what they say as JSON, and how they look on paper."""
