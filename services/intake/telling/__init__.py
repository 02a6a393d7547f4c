"""What notify is told beside the referral: form DCF-823, and what a consult came to."""
