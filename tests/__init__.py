"""The tests mirror engine/ and store/; a name states the fact that the test holds."""
