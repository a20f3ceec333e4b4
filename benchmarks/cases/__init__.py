"""What is measured: each case fills the bench's records; `CASES` is their order."""
