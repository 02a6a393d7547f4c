"""The alarm before a foreign-national child turns 18 (22 USC 7105(b)(1); C19, C27)."""
