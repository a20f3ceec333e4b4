"""The receiver's face to people: what its streams are doing, over HTTP."""
