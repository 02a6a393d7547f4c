"""What whoever is on duty runs: doctor and status."""
