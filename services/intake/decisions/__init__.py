"""What becomes of a referral: accepted or not, form DCF-823, withdrawn, linked."""
