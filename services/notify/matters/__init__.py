"""What plans ask of persons, or put up for review: kept, so that it can be explained later."""
