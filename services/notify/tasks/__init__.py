"""What a named person must look at."""
