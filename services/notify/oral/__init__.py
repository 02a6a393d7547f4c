"""Telling a recipient by word of mouth, and recording it."""
