"""Policies change by two people: proposed, asked of the past, approved, in force from a day."""
