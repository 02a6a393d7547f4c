"""From an event to the notices of a referral, given what earlier ones became."""
