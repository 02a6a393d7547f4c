"""Calls: what was typed while somebody was on the line, until it is a referral."""
