"""The related notice: two referrals of one matter, to whoever holds both (C9, ADR 0039)."""
