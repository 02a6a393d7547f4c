"""Whether two children of two referrals are one: found by blind index, answered by a person."""
