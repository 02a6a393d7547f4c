"""Who saw what of a child, when and by what right; and what of that is given to whom."""
