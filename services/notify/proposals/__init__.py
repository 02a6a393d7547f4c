"""What takes two people: proposed by one, decided by another."""
