"""The services. They never import each other; they speak through `shared.contracts`."""
