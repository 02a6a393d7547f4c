"""How long content is kept: holds, orders to destroy it by two people, what is due."""
