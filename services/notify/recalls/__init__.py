"""A person ends what no machine may: recalls a misdirected disclosure, closes a notice."""
