"""What is learned from leads that were won and lost: additive models, and how good they are."""
