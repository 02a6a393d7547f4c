"""Plans of what happens to a referral after it was received: accepted, shared, withdrawn."""
