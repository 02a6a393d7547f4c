"""What operators run: the one-machine run, and the files of a larger deployment."""
