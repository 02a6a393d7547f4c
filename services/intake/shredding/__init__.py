"""Destroying the key of one child, as two people ordered at audit; and whom a child is."""
