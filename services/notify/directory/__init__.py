"""Who can be told: agencies, where each has a say, and by what authority."""
