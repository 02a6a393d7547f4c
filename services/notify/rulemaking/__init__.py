"""Changing the rules: proposed by one person with what they would change, approved by another."""
