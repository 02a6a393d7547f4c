"""What the tests of every tier stand on."""
